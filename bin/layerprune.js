#!/usr/bin/env node
import '../program/layerprune.js'
