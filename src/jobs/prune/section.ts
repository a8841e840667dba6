/** A JSON object of a configuration: config.json itself, or a section such as text_config. */
export type Section = Record<string, unknown>
