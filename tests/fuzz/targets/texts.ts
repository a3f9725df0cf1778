/** What people type, paste or load as text: amounts, addresses, numbers, JSON, job files, routes, drafts. */
import { bech32mDecode, bech32mEncode, formatAddress, parseAddress } from '../../../src/core/codec/address.ts'
import { formatAmount, parseAmount } from '../../../src/core/codec/amount.ts'
import { DATA_REGISTERED, type DataRef, decodeJobSpec, encodeJobSpec } from '../../../src/core/codec/jobSpec.ts'
import { fromHex, toHex, ZERO32 } from '../../../src/core/codec/ssz.ts'
import { describeModel } from '../../../src/core/training/architectureJson.ts'
import { compareToInteger, integerOf, lr20Of, parseDecimal, scaleDecimal } from '../../../src/core/training/decimal.ts'
import { parseJobJson, templateErrors, toSpec } from '../../../src/core/training/jobJson.ts'
import { type JsonValue, parseJson } from '../../../src/core/training/json.ts'
import { specErrors } from '../../../src/core/training/specRules.ts'
import { utf8Bytes, utf8Text } from '../../../src/core/training/utf8.ts'
import { parseRoute, VIEWS } from '../../../src/ui/router.ts'
import { restoreDraft } from '../../../src/ui/views/wizardDraft.ts'
import { parseObject, print } from '../../../src/ui/views/wizardJson.ts'
import { examples } from '../examples.ts'
import type { Rng } from '../random.ts'
import { ACCEPTED, bytesText, must, sameBytes, type Target, textBytes, words } from '../target.ts'

const seeds = (...texts: readonly string[]): Target['seeds'] => () => words(...texts)

const amount: Target = {
  name: 'text/amount',
  max: 64,
  covers: ['src/core/codec/amount.ts#parseAmount'],
  dictionary: words('.', '0', '00', '18446744073709.551615', '1e9', ' ', '-', '+', '٣'),
  seeds: seeds('0', '12', '12.5', '0.000001', '18446744073709.551615', '18446744073709.551616', ' 7 ', '1.2345678'),
  run: input => {
    const text = bytesText(input)
    const parsed = parseAmount(text)
    if (!parsed.ok) return 'refused'
    must(parsed.value >= 0n && parsed.value < 1n << 64n, 'an amount is no u64')
    const again = parseAmount(formatAmount(parsed.value))
    must(again.ok && again.value === parsed.value, 'an amount does not come back')
    return ACCEPTED
  }
}

const KEY = Uint8Array.from({ length: 32 }, (_, i) => 7 * i)

/** A typing error is what a checksum is for: half of the inputs get a right one. */
function withChecksum (text: string): string {
  const at = text.lastIndexOf('1')
  const symbols = [...text.slice(at + 1, -6)].map(c => 'qpzry9x8gf2tvdw0s3jn54khce6mua7l'.indexOf(c))
  return at < 1 || text.length - at < 8 || symbols.includes(-1) ? text : bech32mEncode(text.slice(0, at), symbols)
}

const address: Target = {
  name: 'text/address',
  max: 128,
  covers: ['src/core/codec/address.ts#parseAddress', 'src/core/codec/address.ts#bech32mDecode'],
  dictionary: words('cw1', '1', 'q', 'CW1', ' '),
  seeds: seeds(formatAddress(KEY), formatAddress(KEY).toUpperCase(), 'a1lqfn3a', 'abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx', bech32mEncode('cw', [1, 2, 3])),
  run: input => {
    const typed = bytesText(input)
    const text = (input.length & 1) === 0 ? typed : withChecksum(typed)
    const decoded = bech32mDecode(text)
    if (decoded !== undefined) must(bech32mEncode(decoded.prefix, decoded.symbols) === text.toLowerCase(), 'a bech32m text encodes otherwise')
    const parsed = parseAddress(text)
    if (!parsed.ok) return decoded === undefined ? 'no bech32m' : 'no address'
    must(formatAddress(parsed.value) === text.trim().toLowerCase(), 'an address is written otherwise')
    return ACCEPTED
  }
}

const hexText: Target = {
  name: 'text/hex',
  max: 80,
  covers: ['src/core/codec/ssz.ts#fromHex'],
  seeds: seeds('00ff', 'abcdef', toHex(KEY)),
  run: input => {
    const text = bytesText(input)
    const bytes = fromHex(text, text.length >> 1)
    if (bytes === undefined) return 'refused'
    must(toHex(bytes) === text, 'hex comes back otherwise')
    return ACCEPTED
  }
}

const decimal: Target = {
  name: 'text/decimal',
  max: 80,
  covers: ['src/core/training/decimal.ts#parseDecimal'],
  dictionary: words('.', 'e', 'e-', 'E+', '-', '0', '000', '64', '-64', '9999999999'),
  seeds: seeds('0', '-0', '1', '0.001', '6e4', '1.5e-3', '123456789.125', '1e64', '9e-64'),
  run: input => {
    const text = bytesText(input)
    const value = parseDecimal(text)
    if (value === undefined) return 'refused'
    const float = Number(text)
    const near = Number(value.digits) * 10 ** value.exponent
    must(Math.abs(near - float) <= Math.abs(float) * 1e-12 + Number.MIN_VALUE || !Number.isFinite(near), 'a decimal is another number')
    const scaled = scaleDecimal(value, 1n << 20n)
    must(scaled === -scaleDecimal({ ...value, digits: -value.digits }, 1n << 20n), 'rounding is not symmetric')
    const whole = integerOf(value)
    must(whole === undefined || compareToInteger(value, whole) === 0, 'an integer is not what it was')
    const rate = lr20Of(value)
    must(rate === undefined || (rate >= 1 && rate <= 65535), 'a rate is out of bounds')
    return ACCEPTED
  }
}

function plain (v: JsonValue): unknown {
  switch (v.kind) {
    case 'object': return Object.fromEntries(v.entries.map(e => [e.key, plain(e.value)]))
    case 'array': return v.items.map(plain)
    case 'string': return v.value
    case 'number': return Number(v.text)
    case 'boolean': return v.value
    case 'null': return null
  }
}

const JSON_WORDS = words('{', '}', '[', ']', ':', ',', '"', '\\u0041', '\\', '\\ud800', 'true', 'false', 'null', '1e5', '-0', '0.1', '\n', '{"a":', '[[[[[[[[[[[[[[[[', '__proto__', '""')

function nativeJson (text: string): { readonly value: unknown } | undefined {
  try { return { value: JSON.parse(text) } } catch { return undefined }
}

const json: Target = {
  name: 'text/json',
  max: 2048,
  covers: ['src/core/training/json.ts#parseJson'],
  dictionary: JSON_WORDS,
  seeds: seeds('{"a": [1, 2.5e-3, "x\\n\\u00e9", true, null], "b": {"c": {}}}', '[]', '""', '-0.0e+1', '{"a":1,"a":2}', '[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]'),
  run: input => {
    const text = bytesText(input)
    const ours = parseJson(text)
    const native = nativeJson(text)
    if (ours.ok) {
      must(native !== undefined, 'JSON.parse refuses it')
      must(JSON.stringify(plain(ours.value)) === JSON.stringify(native.value), 'JSON.parse reads it otherwise')
      return ACCEPTED
    }
    const { message } = ours.error
    must(native === undefined || /appears twice$|^nested deeper|characters, at most/.test(message), 'JSON.parse reads what is refused')
    return native === undefined ? 'no json' : 'stricter than json'
  }
}

const KEYS = [
  'name', 'model_type', 'mlp', 'cnn', 'architecture', 'input_size', 'hidden_sizes', 'output_size', 'input_shape', 'layers', 'type', 'dense', 'conv2d', 'max_pool2d', 'average_pool2d',
  'add', 'norm', 'attention', 'units', 'filters', 'kernel_size', 'stride', 'padding', 'groups', 'pool_size', 'with', 'input', 'activation', 'relu', 'dim', 'heads', 'optimizer', 'adam',
  'learning_rate', 'stopping_criterion', 'max_epochs', 'metrics', 'dataset_info', 'batch_size', 'size', 'performance_requirements', 'min_accuracy', 'gpu', 'data', 'source', 'builtin',
  'files', 'format', 'idx', 'csv', 'training', 'steps_per_slice', 'input_noise', 'rounds', 'schedule', 'seed'
]

const VALUES: readonly unknown[] = [0, 1, 2, 3, 16, 31, 32, 64, 255, 256, 4096, 65535, 65536, -1, 0.5, 1e-7, 1e30, null, true, '', 'x', 'relu', 'input', 'dense', 'conv2d', 'norm', 'add', 'attention', [], {}, [3, 8, 8]]

/** An example with some of its values changed, left out or copied elsewhere: right JSON, and mostly a wrong job. */
function changedExample (rng: Rng): string {
  const root: unknown = JSON.parse(rng.pick(examples()))
  for (let n = 1 + rng.below(3); n > 0; n--) {
    let at = root as Record<string, unknown>
    for (;;) {
      const keys = Object.keys(at)
      if (keys.length === 0) break
      const key = rng.pick(keys)
      const inner = at[key]
      // Copies: what stands in two places would be changed in both, and could come to hold itself.
      if (typeof inner === 'object' && inner !== null && rng.below(4) !== 0) {
        at = inner as Record<string, unknown>
        continue
      }
      if (rng.below(6) === 0) delete at[key]
      else if (rng.below(4) === 0) at[rng.pick(KEYS)] = structuredClone(inner)
      else if (Array.isArray(at) && rng.below(2) === 0) at.push(structuredClone(inner))
      else at[key] = structuredClone(rng.pick(VALUES))
      break
    }
  }
  return JSON.stringify(root)
}

const jobJson: Target = {
  name: 'text/job-json',
  max: 4096,
  covers: ['src/core/training/jobJson.ts#parseJobJson', 'src/core/training/jobJson.ts#parseSeed', 'src/core/training/architectureJson.ts#readArchitecture'],
  dictionary: [...JSON_WORDS, ...words(...KEYS.map(key => `"${key}"`), '0', '1', '4096', '65535', '4294967296', '1e64', '0.0001', '"linear"')],
  seeds: () => examples().map(textBytes),
  fresh: rng => textBytes(changedExample(rng)),
  freshEvery: 2,
  run: input => {
    const parsed = parseJobJson(bytesText(input))
    if (!parsed.ok) {
      must(parsed.errors.length > 0, 'refused without a reason')
      return parsed.errors[0].field.replace(/\[\d+\]|[^a-z_.[\]].*/g, '').slice(0, 32)
    }
    const { model, size = 10_000 } = parsed.value
    describeModel(model)
    // Records as the model wants them, as far as a reference can say it.
    const data: DataRef = { source: DATA_REGISTERED, root: ZERO32, trainRecords: size, testRecords: 100, features: Math.min(0xffff, model.channels * model.height * model.width), classes: model.ops[model.ops.length - 1].units }
    if (templateErrors(parsed.value, data).length > 0) return 'rules'
    const spec = toSpec(parsed.value, data)
    const decoded = decodeJobSpec(encodeJobSpec(spec))
    must(decoded.ok, 'a spec does not decode')
    must(specErrors(spec).length === 0, 'what the template allows the spec does not')
    return ACCEPTED
  }
}

const strict8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const utf8: Target = {
  name: 'text/utf8',
  max: 256,
  covers: ['src/core/training/utf8.ts#utf8Text'],
  dictionary: [Uint8Array.of(0xc0, 0x80), Uint8Array.of(0xed, 0xa0, 0x80), Uint8Array.of(0xf4, 0x90, 0x80, 0x80), Uint8Array.of(0xef, 0xbb, 0xbf), Uint8Array.of(0xf0, 0x9f, 0x98, 0x80)],
  seeds: seeds('plain', 'é ß', '漢字', '😀', '\ufeffmark'),
  run: input => {
    const ours = utf8Text(input)
    let native: string | undefined
    try { native = strict8.decode(input) } catch { native = undefined }
    must(ours === native, 'the platform reads UTF-8 otherwise')
    if (ours === undefined) return 'refused'
    const back = utf8Bytes(ours)
    must(back !== undefined && sameBytes(back, input), 'UTF-8 comes back otherwise')
    return ACCEPTED
  }
}

const route: Target = {
  name: 'text/route',
  max: 128,
  covers: ['src/ui/router.ts#parseRoute'],
  dictionary: words('#/', '/', '?', '%', '%20', '%ff', '%e2%82%ac', ...VIEWS),
  seeds: seeds('#/blocks/00ab', '#/wallet?x=1', '#/try/%20', '', '#', '#/jobs/%'),
  run: input => {
    const { view, arg } = parseRoute(bytesText(input))
    must(VIEWS.includes(view), 'a view that there is not')
    return arg === undefined ? 'without argument' : ACCEPTED
  }
}

const draft: Target = {
  name: 'text/wizard-draft',
  max: 2048,
  covers: ['src/ui/views/wizardDraft.ts#restoreDraft', 'src/ui/views/wizardDraft.ts#readFields', 'src/ui/views/wizardJson.ts#parseObject'],
  dictionary: [...JSON_WORDS, ...words('"source"', '"idx"', '"json"', '"edited"', '"price"', '"escrow"', '"labelColumn"')],
  seeds: seeds('{"source":"idx","labelColumn":"x","json":"{}","edited":true,"price":{"escrow":"2","price":"1","burn":"1","deadline":"9","fee":"1"}}', 'null', '7', '{"price":null}'),
  run: input => {
    const text = bytesText(input)
    const restored = restoreDraft(text)
    must(typeof restored.json === 'string' && Object.values(restored.price).every(p => typeof p === 'string'), 'a draft holds what it cannot')
    const object = parseObject(restored.json)
    if (object !== undefined) must(parseObject(print(object)) !== undefined, 'a job file is printed as none')
    return parseObject(text) === undefined ? 'not an object' : ACCEPTED
  }
}

export const textTargets: readonly Target[] = [amount, address, hexText, decimal, json, jobJson, utf8, route, draft]
