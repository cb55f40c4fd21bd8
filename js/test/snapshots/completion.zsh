#compdef seawall
# seawall: completion for zsh. Put this into ~/.zshrc:  eval "$(seawall completion zsh)"
_seawall() {
  local candidate what
  local -a candidates descriptions
  while IFS=$'\t' read -r candidate what; do
    [[ -n "$candidate" ]] || continue
    candidates+=("$candidate")
    descriptions+=("$candidate  $what")
  done < <("${words[1]}" __complete -- "${(@)words[2,$CURRENT]}" 2>/dev/null)
  if (( ${#candidates} )); then
    compadd -l -d descriptions -a candidates
  else
    _files
  fi
}
if [[ "${funcstack[1]}" == _seawall ]]; then _seawall "$@"; else compdef _seawall seawall; fi
