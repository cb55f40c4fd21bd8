# seawall: completion for bash. Put this into ~/.bashrc:  eval "$(seawall completion bash)"
_seawall() {
  local line="${COMP_LINE:0:COMP_POINT}" cur candidate prefix
  local -a words
  read -ra words <<< "$line"
  [[ "$line" == *[[:space:]] ]] && words+=("")
  cur="${words[${#words[@]}-1]}"
  COMPREPLY=()
  while IFS=$'\t' read -r candidate _; do
    [[ -n "$candidate" ]] && COMPREPLY+=("$candidate")
  done < <("${words[0]}" __complete -- "${words[@]:1}" 2>/dev/null)
  if [[ "$cur" == *:* && "$COMP_WORDBREAKS" == *:* ]]; then
    prefix="${cur%"${cur##*:}"}"
    COMPREPLY=("${COMPREPLY[@]#"$prefix"}")
  fi
}
complete -o default -F _seawall seawall
