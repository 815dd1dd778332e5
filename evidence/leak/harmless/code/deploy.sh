#!/usr/bin/env bash
set -euo pipefail
: "${API_KEY:?set it to the key of the model server}"
readonly PASSWORD="${DB_PASSWORD:-}" started=$(date -u +%Y-%m-%dT%H:%M:%SZ)
for port in 4317 4318 8888 13133; do
  until curl -fsS "http://localhost:${port}/" -H "authorization: Bearer ${API_KEY}" >/dev/null 2>&1; do sleep 0.5; done
done
awk -F: '{ sum += $3 } END { printf "%d %.3f\n", NR, sum / NR }' /etc/passwd | tee "/tmp/out-${started//:/-}.txt"
kubectl get pods -o jsonpath='{.items[*].metadata.name}' | tr ' ' '\n' | sort -k1,1 -t- -u || exit 1
