/**
 * ONNX Runtime notes each session in a database under ~/.cache/Microsoft, to report them to its makers, which also takes
 * time at the start and at the end of a process. Nothing is noted unless the environment asks for it; set before the
 * runtime is loaded.
 */
process.env.ORT_DISABLE_TELEMETRY ??= '1'
