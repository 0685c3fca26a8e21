#!/bin/sh
# Runs what build.sh built, in its directory, on the first GPU. Every program must print ok; stall must end with a fault record.
cd "$(dirname "$0")" || exit 2
failed=0
for program in matrix normalise attention near route pipeline packets-1 packets-2 packets-4 packets-8 packets-8-bf16 shots-1 shots-2 shots-4 shots-8 shots-8-bf16 shots-8-exact exact-1 exact-2 exact-4 exact-8; do
  said=$(timeout 30 ./$program) || failed=1
  echo "$program: $said"
done
said=$(timeout 30 ./stall-4)
echo "stall-4: $said"
case $said in fault:*) ;; *) failed=1 ;; esac
exit $failed
