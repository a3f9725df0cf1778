/**
 * What a backend computes before it may work: the first rows of tests/vectors/slices-v1.json, written
 * by scripts/make-slice-vectors.ts. The first is long enough to pass every warm-up of the optimiser
 * (128 steps), the second has every operation, the third saturates.
 */
import type { GoldenSlice } from './golden.ts'

export const SELF_TEST: readonly GoldenSlice[] = [
  {"name":"odd widths and batch","layers":[13,7,5],"batch":17,"inputNoise":16,"lr20":1049,"steps":140,"seed":1,"state":"initial","inputs":"random","stateHash":"1b90bf9093eb3fd5d06b3e37d315ad7259ed88adfd61c6a1bfd8e1435d4bdae8","payloadDigest":"c513a46fdbff28549b31d0421727562a22e4dcf8f1521a34dd015b216fdf30f0","correct":503,"lossBits16":363075898},
  {"name":"a residual net of every operation","layers":{"channels":3,"height":7,"width":6,"ops":[{"kind":1,"a":0,"b":0,"relu":0,"units":6,"kernel":3,"stride":1,"padding":1,"groups":1},{"kind":5,"a":1,"b":0,"relu":1,"units":0,"kernel":0,"stride":0,"padding":0,"groups":0},{"kind":1,"a":2,"b":0,"relu":0,"units":6,"kernel":3,"stride":1,"padding":1,"groups":6},{"kind":1,"a":3,"b":0,"relu":0,"units":6,"kernel":1,"stride":1,"padding":0,"groups":2},{"kind":4,"a":4,"b":2,"relu":1,"units":0,"kernel":0,"stride":0,"padding":0,"groups":0},{"kind":3,"a":5,"b":0,"relu":0,"units":0,"kernel":3,"stride":2,"padding":0,"groups":0},{"kind":1,"a":5,"b":0,"relu":1,"units":6,"kernel":3,"stride":2,"padding":0,"groups":3},{"kind":4,"a":6,"b":7,"relu":0,"units":0,"kernel":0,"stride":0,"padding":0,"groups":0},{"kind":0,"a":8,"b":0,"relu":0,"units":5,"kernel":0,"stride":0,"padding":0,"groups":0}]},"batch":16,"inputNoise":16,"lr20":1049,"steps":5,"seed":2,"state":"initial","inputs":"random","stateHash":"4bff83dd09584580dbf1c94ccf1600e51abe5b9c22ffb8afb0b9fb69b5b91185","payloadDigest":"b08e151324c729a9af777055f28affcd4af8309cdfdb3c1884328576caa1090a","correct":20,"lossBits16":12121447},
  {"name":"saturated weights, full inputs","layers":[21,12,9,4],"batch":16,"inputNoise":16,"lr20":65535,"steps":6,"seed":3,"state":"saturated","inputs":"full","stateHash":"efecd47e0ca34257d7b493a96d47d66c456011347555d134547438e5343807d1","payloadDigest":"2a48fe575ef57314ff384c263c099d6dc231d330ded9c26cb132ead73d75afb1","correct":23,"lossBits16":114067968}
]
