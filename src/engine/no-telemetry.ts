/** Stops ONNX Runtime from noting each session in a database for its makers; must be set before it is loaded. */
process.env.ORT_DISABLE_TELEMETRY ??= '1'
