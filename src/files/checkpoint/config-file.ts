/** The file that states the config of most models; of a GGUF model it is the GGUF file itself. */
export const CONFIG_FILE = 'config.json'

/** A hint for a config that does not fit its model; `whence` is as in `from the model it belongs to`. */
export function adviseOnConfig(file: string, whence: string): string {
  return file === CONFIG_FILE
    ? `take ${CONFIG_FILE} ${whence}`
    : `${file} may be damaged: download it or convert the model again`
}
