/**
 * tests/vectors/ed25519-*.json from the published files, cut down to what a verifier is asked:
 *
 *   npx tsx scripts/make-signature-vectors.ts <wycheproof>/testvectors_v1/ed25519_test.json <CCTV>/ed25519/ed25519vectors.json
 *
 * Sources: github.com/C2SP/wycheproof at dac1dd4 (Apache-2.0), github.com/C2SP/CCTV at 1e3d286
 * (its ed25519 folder is under a licence like the BSD ones). Their licences are beside the vectors.
 */
import { readFileSync, writeFileSync } from 'node:fs'

interface Wycheproof {
  readonly testGroups: ReadonlyArray<{
    readonly publicKey: { readonly pk: string }
    readonly tests: ReadonlyArray<{ readonly tcId: number, readonly comment: string, readonly flags: readonly string[], readonly msg: string, readonly sig: string, readonly result: string }>
  }>
}
type Cctv = ReadonlyArray<{ readonly number: number, readonly key: string, readonly sig: string, readonly msg: string, readonly flags: readonly string[] | null }>

/** A vector a line: a diff then shows which changed. */
function write (name: string, source: string, vectors: readonly object[]): void {
  const path = new URL(`../tests/vectors/${name}`, import.meta.url)
  writeFileSync(path, `{"source":${JSON.stringify(source)},"vectors":[\n${vectors.map(v => JSON.stringify(v)).join(',\n')}\n]}\n`)
}

const [wycheproofPath, cctvPath] = process.argv.slice(2)
if (cctvPath === undefined) throw new Error('usage: make-signature-vectors.ts <ed25519_test.json> <ed25519vectors.json>')

const wycheproof = JSON.parse(readFileSync(wycheproofPath, 'utf8')) as Wycheproof
write('ed25519-wycheproof.json', 'github.com/C2SP/wycheproof dac1dd4, testvectors_v1/ed25519_test.json, Apache-2.0, cut down',
  wycheproof.testGroups.flatMap(({ publicKey, tests }) => tests.map(({ tcId, comment, flags, msg, sig, result }) => ({ id: tcId, key: publicKey.pk, msg, sig, valid: result === 'valid', why: [...flags, comment].filter(w => w !== '').join('; ') }))))

const cctv = JSON.parse(readFileSync(cctvPath, 'utf8')) as Cctv
write('ed25519-cctv.json', 'github.com/C2SP/CCTV 1e3d286, ed25519/ed25519vectors.json, cut down',
  cctv.map(({ number, key, sig, msg, flags }) => ({ id: number, key, msg: Buffer.from(msg, 'utf8').toString('hex'), sig, flags: (flags ?? []).join(' ') })))
