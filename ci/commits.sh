#!/usr/bin/env bash
# The subject of each commit is `area: imperative` within 72 characters, and its body says why (CONTRIBUTING.md). Those up to
# $since, which came before this check, are not looked at; nor is any where $since is not known, as in a shallow clone.
set -euo pipefail
cd "$(dirname "$0")/.."
since=e40b10cd7735a010f9c4427f78edfedbf6d3bfc8
if ! git merge-base --is-ancestor "$since" HEAD 2>/dev/null; then
    echo "commits: $since is not in this history, so none is looked at"
    exit
fi
wrong=0
while read -r commit; do
    subject=$(git log -1 --format=%s "$commit")
    if [ "${#subject}" -gt 72 ] || ! [[ $subject =~ ^[a-z][a-z0-9_,\ -]*:\ [a-z] ]]; then
        echo "$commit: its subject is not \`area: imperative\` within 72 characters: $subject" >&2
        wrong=1
    fi
    if [ -z "$(git log -1 --format=%b "$commit")" ]; then
        echo "$commit: it has no body that says why: $subject" >&2
        wrong=1
    fi
done < <(git rev-list --no-merges "$since..HEAD")
exit "$wrong"
