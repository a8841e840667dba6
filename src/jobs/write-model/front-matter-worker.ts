/** A process that adds to the front matter of strangers' cards. */
import { answerRequests } from '../../base/answering-process.js'
import type { EditRequest } from './card-metadata.js'
import { addMetadata } from './edit-front-matter.js'

answerRequests(({ base, metadata, measured }: EditRequest) => addMetadata(base, metadata, measured))
