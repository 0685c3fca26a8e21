#!/bin/sh
# Builds every unit program for a Hopper GPU, or the one that $ONLY names: build.sh <out directory> [flags of nvcc]. Run them there with run.sh.
set -e
here=$(cd "$(dirname "$0")" && pwd)
out=${1:?out directory}
shift
more=$*
mkdir -p "$out"
build() { # name source flags...
  name=$1 source=$2
  shift 2
  [ "${ONLY:-$name}" = "$name" ] || return 0
  ${NVCC:-nvcc} -x cu -std=c++17 -O3 -gencode=arch=compute_90a,code=sm_90a -cudart static "-I$here/../../../codegen/device" $more "$@" "$here/../units/$source.cpp" -o "$out/$name"
}
for unit in matrix normalise attention near route pipeline; do build $unit $unit; done
for ranks in 1 2 4 8; do build packets-$ranks packets -DRANKS=$ranks; done
build packets-8-bf16 packets -DRANKS=8 -DEXCHANGE=tile::bf16
for ranks in 1 2 4 8; do build shots-$ranks shots -DRANKS=$ranks; done
build shots-8-bf16 shots -DRANKS=8 -DEXCHANGE=tile::bf16
build shots-8-exact shots -DRANKS=8 -DEXCHANGE=tile::i64
for ranks in 1 2 4 8; do build exact-$ranks exact -DRANKS=$ranks -DEXCHANGE=tile::i64; done
build stall-4 stall -DRANKS=4
cp "$here/run.sh" "$out/run.sh"
