#!/usr/bin/env bash
# Speaks sounds/texts.tsv into sounds/vi and sounds/en. The files are kept in git, so only who changes a text needs to run this.
set -euo pipefail
cd "$(dirname "$0")/../sounds"

for program in espeak-ng sox; do
    command -v "$program" >/dev/null || {
        echo "make_sounds: $program is missing (Debian: apt-get install espeak-ng sox)" >&2
        exit 1
    }
done

spoken=$(mktemp)
trap 'rm -f "$spoken"' EXIT

# speak LANGUAGE VOICE TEXT NAME: the band of a telephone, an even level, and no silence a caller would pay for.
speak() {
    espeak-ng -v "$2" -s 165 -g 2 -w "$spoken" "$3"
    sox -q -D -t wav "$spoken" -r 8000 -b 16 -c 1 "$1/$4.wav" \
        highpass 200 silence 1 0.02 0.5% reverse silence 1 0.02 0.5% reverse pad 0.05 0.15 norm -6
}

# tone NAME HERTZ: two bursts of a quarter of a second, the same in every language.
tone() {
    sox -q -D -n -r 8000 -b 16 -c 1 "vi/$1.wav" \
        synth 0.25 sine "$2" fade 0.01 0.25 0.01 norm -6 pad 0.05 0.1 repeat 1
    cp "vi/$1.wav" "en/$1.wav"
}

grep -v '^#' texts.tsv | while IFS=$'\t' read -r name second third; do
    if [ "$name" = tone ]; then
        tone "$second" "$third"
    elif [ "$name" = alias ]; then
        cp "vi/$third.wav" "vi/$second.wav"
        cp "en/$third.wav" "en/$second.wav"
    else
        speak vi vi "$second" "$name"
        speak en en-us "$third" "$name"
    fi
done
