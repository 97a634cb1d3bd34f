#!/usr/bin/env zsh
# complete.zsh zsh DIR LINE...     what zsh offers at the end of each line: "> LINE", then a word a line; DIR holds the completions
# complete.zsh bash FILE LINE      types LINE, with its tabs, into a bash that has read FILE, and waits for its end
# Real shells, on terminals of their own.
emulate -L zsh
zmodload zsh/zpty
shell=$1 place=$2
shift 2
work=$(mktemp -d) || exit 2
trap 'rm -r $work' EXIT

# Nothing that it prints is wanted, but it has to be read.
await() {
	local until=$((SECONDS + 30)) ignored
	while [[ ! -e $1 ]]; do
		((SECONDS < until)) || { print -u2 "nothing came of: $2"; exit 1; }
		zpty -r -t child ignored || sleep 0.02
	done
}

if [[ $shell == bash ]]; then
	zpty child env TERM=dumb bash --norc --noprofile -i
	zpty -w child "source $place; touch $work/ready"
	await $work/ready 'reading the completion'
	zpty -w child "$1; touch $work/done"
	await $work/done $1
	exit 0
fi

cat >$work/setup <<'SETUP'
PROMPT='' RPROMPT=''
unsetopt auto_list auto_menu beep
autoload -Uz compinit
compinit -u -D
compadd() {
	local -a matched
	if (( ${@[(I)-[OAD]]} )); then
		builtin compadd "$@"
		return
	fi
	builtin compadd -A matched "$@"
	print -rl -- $matched >>$WORK/offered
	builtin compadd "$@"
}
mark() { touch $WORK/done }
ask() { comppostfuncs=(mark); zle complete-word }
zle -N ask
bindkey '^I' ask
bindkey '^U' kill-whole-line
touch $WORK/ready
SETUP
zpty child "WORK=$work TERM=dumb zsh -f -i"
zpty -w child "fpath=($place \$fpath); source $work/setup"
await $work/ready 'compinit'
for line; do
	rm -f $work/offered $work/done
	zpty -n -w child $'\x15'$line$'\t'
	await $work/done $line
	print -r -- "> $line"
	[[ ! -e $work/offered ]] || grep -v '^$' $work/offered
done
exit 0
