# seawall: completion for fish. Put this into ~/.config/fish/config.fish:  seawall completion fish | source
function __seawall_complete
  set -l words (commandline -opc)
  set -l program $words[1]
  set -e words[1]
  $program __complete -- $words (commandline -ct) 2>/dev/null
end
complete -c seawall -f -a '(__seawall_complete)'
complete -c seawall -l token-file -r -F
complete -c seawall -l out -r -F
