/** What a shell reads to complete `waybill`: each asks the command itself, so that nothing in it grows old. */

export const shells = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof shells)[number];

/** Stands for this machine's files, which the shell knows best. */
export const filesMark = ":files";

const bash = `# waybill completion bash: in ~/.bashrc, eval "$(waybill completion bash)"
_waybill() {
  local value says typed="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  while IFS=$'\\t' read -r value says; do
    if [[ $value == ${filesMark} ]]; then
      compopt -o filenames 2>/dev/null
      while IFS= read -r value; do COMPREPLY+=("$value"); done < <(compgen -f -- "$typed")
    else
      COMPREPLY+=("$value")
    fi
  done < <(waybill completion suggest -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _waybill waybill
`;

const zsh = `#compdef waybill
# waybill completion zsh: in ~/.zshrc after compinit, eval "$(waybill completion zsh)"; or in a file _waybill of a folder of fpath
_waybill() {
  local value says
  local -a found
  while IFS=$'\\t' read -r value says; do
    if [[ $value == ${filesMark} ]]; then _files; else found+=("\${value//:/\\\\:}:$says"); fi
  done < <(waybill completion suggest -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  (( \${#found} )) && _describe waybill found
}
if [[ \${funcstack[1]-} == _waybill ]]; then _waybill "$@"; else compdef _waybill waybill; fi
`;

const fish = `# waybill completion fish: waybill completion fish > ~/.config/fish/completions/waybill.fish
function __waybill_complete
  set -l before (commandline -opc)
  set -e before[1]
  set -l typed (commandline -ct)
  for line in (waybill completion suggest -- $before "$typed" 2>/dev/null)
    if test "$line" = ${filesMark}
      __fish_complete_path "$typed"
    else
      echo $line
    end
  end
end
complete -c waybill -f -k -a '(__waybill_complete)'
`;

export const scripts: Readonly<Record<Shell, string>> = { bash, zsh, fish };
