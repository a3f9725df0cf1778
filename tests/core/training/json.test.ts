import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type JsonValue, MAX_JSON_CHARS, parseJson } from '../../../src/core/training/json.ts'

/** What JSON.parse would have given. */
function plain (v: JsonValue): unknown {
  if (v.kind === 'object') return Object.fromEntries(v.entries.map(e => [e.key, plain(e.value)]))
  if (v.kind === 'array') return v.items.map(plain)
  if (v.kind === 'number') return Number(v.text)
  return v.kind === 'null' ? null : v.value
}

describe('strict JSON', () => {
  it('reads what JSON.parse reads', () => {
    fc.assert(fc.property(fc.json({ maxDepth: 6 }), fc.integer({ min: 0, max: 3 }), (text, indent) => {
      const value: unknown = JSON.parse(text)
      fc.pre(!text.includes('__proto__'))
      const result = parseJson(JSON.stringify(value, undefined, indent))
      expect(result.ok && plain(result.value)).toEqual(JSON.parse(JSON.stringify(value)))
    }), { numRuns: 500 })
  })

  it('refuses whatever JSON.parse refuses, by value', () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom(...'{}[]",:0123456789eE+-.truefalsnu \n\\/b'), maxLength: 24 }), text => {
      const result = parseJson(text)
      let accepted = true
      try {
        JSON.parse(text)
      } catch {
        accepted = false
      }
      if (!accepted) expect(result.ok).toBe(false)
    }), { numRuns: 3000 })
  })

  it('keeps the text of numbers and the line of everything', () => {
    const result = parseJson('{\n  "a": 0.0010,\r\n  "b":\n    [1e-3, true]\n}')
    expect(result).toEqual({
      ok: true,
      value: {
        kind: 'object',
        line: 1,
        entries: [
          { key: 'a', line: 2, value: { kind: 'number', line: 2, text: '0.0010' } },
          { key: 'b', line: 3, value: { kind: 'array', line: 4, items: [{ kind: 'number', line: 4, text: '1e-3' }, { kind: 'boolean', line: 4, value: true }] } }
        ]
      }
    })
  })

  it('reads escapes', () => {
    const result = parseJson(String.raw`"\u0041\n\"\\\/\u00e9\ud83d\ude00"`)
    expect(result.ok && result.value).toEqual({ kind: 'string', line: 1, value: 'A\n"\\/é😀' })
  })

  it.each([
    ['', 1, 1, 'expected a value, found the end of the text'],
    ['{\n  "a": 1,\n}', 3, 1, 'expected a key in double quotes, found "}"'],
    ['{"a" 1}', 1, 6, 'expected ":" after the key "a", found "1"'],
    ['{"a": 1\n "b": 2}', 2, 2, 'expected "," or "}", found "\\""'],
    ['{"a": 1, "a": 2}', 1, 10, 'the key "a" appears twice'],
    ['[1, 2', 1, 6, 'expected "," or "]", found the end of the text'],
    ['[1,]', 1, 4, 'expected a value, found "]"'],
    ['{} {}', 1, 4, 'expected the end of the text, found "{"'],
    ['"abc', 1, 1, 'a string without its closing quote'],
    ['"a\nb"', 1, 3, 'a line break or control character inside a string'],
    ['"\\x"', 1, 2, 'unknown escape in a string'],
    ['"\\u12g4"', 1, 2, 'expected four hex digits after \\u'],
    ['[01]', 1, 2, 'not a number as JSON writes it'],
    ['[1.]', 1, 2, 'not a number as JSON writes it'],
    ['[-]', 1, 2, 'not a number as JSON writes it'],
    ['[1e]', 1, 2, 'not a number as JSON writes it'],
    ['NaN', 1, 1, 'expected a value, found "N"'],
    ["{'a': 1}", 1, 2, 'expected a key in double quotes, found "\'"'],
    ['// x', 1, 1, 'expected a value, found "/"'],
    ['['.repeat(18), 1, 18, 'nested deeper than 16'],
    [' '.repeat(MAX_JSON_CHARS + 1), 1, 1, '65537 characters, at most 65536']
  ])('refuses %j', (text, line, column, message) => {
    expect(parseJson(text)).toEqual({ ok: false, error: { line, column, message } })
  })

  it('stays quick on the largest text', () => {
    const start = performance.now()
    expect(parseJson(`[${'1,\n'.repeat(21_000)}1]`).ok).toBe(true)
    expect(performance.now() - start).toBeLessThan(2000)
  })
})
