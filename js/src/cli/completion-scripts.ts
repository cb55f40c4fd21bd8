// Scripts that have a shell complete `seawall`. They ask `seawall __complete` with the words so far.

/**
 * Readline splits words at colons: what it completes is behind the last one. So words are taken from the line, and of candidates goes
 * away what stands before that colon.
 */
const BASH = `# seawall: completion for bash. Put this into ~/.bashrc:  eval "$(seawall completion bash)"
_seawall() {
  local line="\${COMP_LINE:0:COMP_POINT}" cur candidate prefix
  local -a words
  read -ra words <<< "$line"
  [[ "$line" == *[[:space:]] ]] && words+=("")
  cur="\${words[\${#words[@]}-1]}"
  COMPREPLY=()
  while IFS=$'\\t' read -r candidate _; do
    [[ -n "$candidate" ]] && COMPREPLY+=("$candidate")
  done < <("\${words[0]}" __complete -- "\${words[@]:1}" 2>/dev/null)
  if [[ "$cur" == *:* && "$COMP_WORDBREAKS" == *:* ]]; then
    prefix="\${cur%"\${cur##*:}"}"
    COMPREPLY=("\${COMPREPLY[@]#"$prefix"}")
  fi
}
complete -o default -F _seawall seawall
`;

const ZSH = `#compdef seawall
# seawall: completion for zsh. Put this into ~/.zshrc:  eval "$(seawall completion zsh)"
_seawall() {
  local candidate what
  local -a candidates descriptions
  while IFS=$'\\t' read -r candidate what; do
    [[ -n "$candidate" ]] || continue
    candidates+=("$candidate")
    descriptions+=("$candidate  $what")
  done < <("\${words[1]}" __complete -- "\${(@)words[2,$CURRENT]}" 2>/dev/null)
  if (( \${#candidates} )); then
    compadd -l -d descriptions -a candidates
  else
    _files
  fi
}
if [[ "\${funcstack[1]}" == _seawall ]]; then _seawall "$@"; else compdef _seawall seawall; fi
`;

const FISH = `# seawall: completion for fish. Put this into ~/.config/fish/config.fish:  seawall completion fish | source
function __seawall_complete
  set -l words (commandline -opc)
  set -l program $words[1]
  set -e words[1]
  $program __complete -- $words (commandline -ct) 2>/dev/null
end
complete -c seawall -f -a '(__seawall_complete)'
complete -c seawall -l token-file -r -F
complete -c seawall -l out -r -F
`;

export const SCRIPTS: Readonly<Record<string, string>> = { bash: BASH, zsh: ZSH, fish: FISH };
