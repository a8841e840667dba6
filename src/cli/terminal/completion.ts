export const SHELLS = ['bash', 'zsh', 'fish'] as const

export type Shell = (typeof SHELLS)[number]

export interface CompletedCommand {
  name: string
  summary: string
  flags: CompletedFlag[]
  /** Values of its argument; none if it takes files. */
  choices: readonly string[]
}

export interface CompletedFlag {
  /** Such as `-o` and `--output`. */
  names: string[]
  summary: string
  takesValue: boolean
  /** Values; none if any text, or a file, is accepted. */
  choices: readonly string[]
}

/** A shell script that completes commands, flags, and flag values of a fixed list. */
export function formatCompletion(shell: Shell, commands: CompletedCommand[]): string {
  return { bash: formatBash, zsh: formatZsh, fish: formatFish }[shell](commands)
}

function formatBash(commands: CompletedCommand[]): string {
  const values = commands.flatMap(({ name, flags }) =>
    flags
      .filter(({ choices }) => choices.length > 0)
      .map(
        ({ names, choices }) =>
          `    ${names.map((flag) => `'${name} ${flag}'`).join('|')}) words='${choices.join(' ')}' ;;`,
      ),
  )
  // flags without a fixed list of values take files, which bash completes on its own
  const free = commands.flatMap(({ name, flags }) =>
    flags
      .filter(({ takesValue, choices }) => takesValue && choices.length === 0)
      .flatMap(({ names }) => names.map((flag) => `'${name} ${flag}'`)),
  )
  return `# layerprune completion for bash
_layerprune() {
  local current=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]} words=''
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W '${commands.map(({ name }) => name).join(' ')} --help --version' -- "$current"))
    return
  fi
  case "\${COMP_WORDS[1]} $previous" in
${values.join('\n')}
    ${free.join('|')}) return ;;
    *)
      case "\${COMP_WORDS[1]}" in
${commands.map(({ name, flags, choices }) => `        ${name}) words='${[...choices, ...flags.flatMap(({ names }) => names)].join(' ')}' ;;`).join('\n')}
      esac
      [[ $current == -* || \${COMP_WORDS[1]} == completion ]] || words=''
      ;;
  esac
  [[ -z $words ]] || COMPREPLY=($(compgen -W "$words" -- "$current"))
}
complete -o default -F _layerprune layerprune
`
}

function formatZsh(commands: CompletedCommand[]): string {
  const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`
  const quoteBrackets = (text: string) => text.replace(/[[\]:\\]/g, '\\$&')
  const specs = commands.map(({ name, flags, choices }) => {
    const lines = flags.flatMap(({ names, summary, takesValue, choices: values }) =>
      names.map((flag) => {
        const value = !takesValue ? '' : values.length > 0 ? `:value:(${values.join(' ')})` : ':value:_files'
        return quote(`*${flag}[${quoteBrackets(summary)}]${value}`)
      }),
    )
    const rest = choices.length > 0 ? `*:value:(${choices.join(' ')})` : '*:file:_files'
    return `    ${name})\n      _arguments ${[...lines, quote(rest)].join(' \\\n        ')}\n      ;;`
  })
  return `#compdef layerprune
_layerprune() {
  local -a commands=(
${commands.map(({ name, summary }) => `    ${quote(`${name}:${quoteBrackets(summary)}`)}`).join('\n')}
  )
  if ((CURRENT == 2)); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  ((CURRENT--))
  case $command in
${specs.join('\n')}
  esac
}
if [[ $funcstack[1] == _layerprune ]]; then _layerprune "$@"; else compdef _layerprune layerprune; fi
`
}

function formatFish(commands: CompletedCommand[]): string {
  const quote = (text: string) => `'${text.replace(/[\\']/g, '\\$&')}'`
  const lines = commands.flatMap(({ name, summary, flags, choices }) => {
    const within = `complete -c layerprune -n ${quote(`__fish_seen_subcommand_from ${name}`)}`
    return [
      `complete -c layerprune -n __fish_use_subcommand -f -a ${name} -d ${quote(summary)}`,
      ...(choices.length > 0 ? [`${within} -f -a ${quote(choices.join(' '))}`] : []),
      ...flags.map(({ names, summary, takesValue, choices: values }) => {
        const named = names.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`))
        const value = values.length > 0 ? [`-x -a ${quote(values.join(' '))}`] : takesValue ? ['-r'] : []
        return [within, ...named, ...value, `-d ${quote(summary)}`].join(' ')
      }),
    ]
  })
  return `# layerprune completion for fish\n${lines.join('\n')}\n`
}
