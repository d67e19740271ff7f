/** The shells that there is a completion for. */
export type Shell = 'bash' | 'zsh' | 'fish' | 'powershell'

const BASH = `# Completion of s3move for bash; in ~/.bashrc: . <(s3move completion bash)
_s3move() {
  local IFS=$'\\n' word current='' value cut='' kind='' line n=0
  local -a words=()
  # bash takes = and : for words of their own; whatever is next to one belongs to the same word.
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD}"; do
    if ((n > 0)) && { [[ $word == [=:]* ]] || [[ \${words[n - 1]} == *[=:] ]]; }; then
      words[n - 1]+=$word
    else
      words[n]=$word
      n=$((n + 1))
    fi
  done
  ((n > 0)) && current=\${words[n - 1]}
  value=$current
  [[ $current == --*=* ]] && value=\${current#*=}
  # What stands before the last of them is in the line already.
  [[ $COMP_WORDBREAKS == *:* && $value == *:* ]] && cut=\${value%"\${value##*:}"}
  COMPREPLY=()
  while read -r line; do
    if [[ -z $kind ]]; then
      kind=$line
    else
      line=\${line%%$'\\t'*}
      COMPREPLY+=("\${line#"$cut"}")
    fi
  done < <("\${1/#\\~/$HOME}" __complete "\${words[@]}" 2>/dev/null)
  case $kind in
    files) compopt -o default 2>/dev/null || COMPREPLY+=($(compgen -f -- "$value")) ;;
    folders) compopt -o plusdirs -o filenames 2>/dev/null || COMPREPLY+=($(compgen -d -- "$value")) ;;
  esac
}
complete -F _s3move s3move
`

const ZSH = `#compdef s3move
# Completion of s3move for zsh; in ~/.zshrc, behind compinit: . <(s3move completion zsh)
_s3move() {
  local -a lines offered
  local line kind word
  lines=("\${(@f)$("\${(Q)words[1]/#\\~/$HOME}" __complete "\${(@Q)words[2,CURRENT-1]}" "\${(Q)PREFIX}" 2>/dev/null)}")
  kind=$lines[1]
  for line in "\${(@)lines[2,-1]}"; do
    word=\${line%%$'\\t'*}
    offered+=("\${word//:/\\\\:}:\${line#*$'\\t'}")
  done
  # Of --option=value the value alone is offered.
  [[ $PREFIX == --*=* ]] && compset -P '*='
  (($#offered > 0)) && _describe -V s3move offered
  case $kind in
    files) _files ;;
    folders) _files -/ ;;
  esac
}
if [[ $funcstack[1] == _s3move ]]; then
  _s3move "$@"
else
  compdef _s3move s3move
fi
`

const FISH = `# Completion of s3move for fish: s3move completion fish > ~/.config/fish/completions/s3move.fish
function __s3move_complete
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l option (string match -r -- '^--[^=]+=' $current)
    set -l value (string replace -- "$option" '' $current)
    set -l lines ($words[1] __complete $words[2..-1] "$current" 2>/dev/null)
    for line in $lines[2..-1]
        printf '%s%s\\n' "$option" $line
    end
    switch "$lines[1]"
        case files
            for path in (__fish_complete_path "$value")
                printf '%s%s\\n' "$option" $path
            end
        case folders
            for path in (__fish_complete_directories "$value" '')
                printf '%s%s\\n' "$option" $path
            end
    end
end
complete -c s3move -f -a '(__s3move_complete)'
`

const POWERSHELL = `# Completion of s3move for PowerShell; in $PROFILE: s3move completion powershell | Out-String | Invoke-Expression
Register-ArgumentCompleter -Native -CommandName s3move -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.StartOffset -lt $cursorPosition } | ForEach-Object { $_.ToString() })
    # An empty argument is lost on its way to a program before PowerShell 7.3; two quotes stand for it.
    if ($wordToComplete -eq '') { $words += '""' }
    $option = if ($wordToComplete -match '^--[^=]+=') { $Matches[0] } else { '' }
    $value = $wordToComplete.Substring($option.Length)
    $kind, $lines = & $commandAst.CommandElements[0].ToString() __complete @words 2>$null
    foreach ($line in $lines) {
        $word, $description = $line -split [char]9, 2
        if (-not $description) { $description = $word }
        [System.Management.Automation.CompletionResult]::new($option + $word, $word, 'ParameterValue', $description)
    }
    if ($kind -eq 'files' -or $kind -eq 'folders') {
        [System.Management.Automation.CompletionCompleters]::CompleteFilename($value) |
            Where-Object { $kind -eq 'files' -or $_.ResultType -eq 'ProviderContainer' } |
            ForEach-Object {
                [System.Management.Automation.CompletionResult]::new(
                    $option + $_.CompletionText, $_.ListItemText, $_.ResultType, $_.ToolTip)
            }
    }
}
`

/** The completion scripts. Each asks the program itself for what can stand where somebody types, so that it knows what the program knows. */
export const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: BASH,
  zsh: ZSH,
  fish: FISH,
  powershell: POWERSHELL,
}
