#!/usr/bin/env bash
# Six files of a supplier: five deliveries of 100 lines, and the third once more under another name.
set -euo pipefail
mkdir -p "$INBOX"
outside=$(mktemp -d "$INBOX/.arriving.XXXXXX")
for number in 1 2 3 4 5; do
  {
    echo "delivery,line,product_id,quantity"
    for line in $(seq 100); do
      echo "$RUN-$number,$line,$((line % 50 + 1)),$((line % 7 + 1))"
    done
  } > "$outside/$RUN-$number.csv"
done
cp "$outside/$RUN-3.csv" "$outside/$RUN-3-again.csv"
mv "$outside"/*.csv "$INBOX/"
rmdir "$outside"
