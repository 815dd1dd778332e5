import assert from 'node:assert/strict'
import { test } from 'node:test'
import { EXCLUDED, excludedIn, isMaskedOnlyAt } from './excluded.ts'

const RULES: Readonly<Record<string, Readonly<{ falls: readonly string[]; stays: readonly string[] }>>> = {
  'digits with the beginning and the length of a payment card, and a right check digit': {
    falls: ['4111 1111 1111 1111', '378282246310005', '30569309025904', '6011-1111-1111-1117', '3530111333300000'],
    stays: ['4111 1111 1111 1112', '1764345600123456', '4111111111111111111', '0.4111111111111111e', '4111'],
  },
  'an IBAN with right check digits': {
    falls: ['DE89 3704 0044 0532 0130 00', 'GB82WEST12345698765432'],
    stays: [
      'DE88 3704 0044 0532 0130 00',
      'AB12-CD34-EF56',
      'US0378331005',
      'E5A1B2C3D4E5F60718293A4B5C6D7E8F90A1B2C3',
    ],
  },
  'an IPv4, IPv6 or MAC address': {
    falls: ['203.0.113.77', '2001:db8::1', '00:1a:2b:3c:4d:5e', '00-1A-2B-3C-4D-5E'],
    stays: ['1.2.3', '300.1.2.3', 'std::decay', '00:01:02:03', '12:30:45:1234', 'acme::AbC12345'],
  },
  'an e-mail address': {
    falls: ['maria.lopez@acme-corp.com'],
    stays: ['@media', 'agents@0.24.0', 'claude-3-5-haiku@20241022', '%40openai'],
  },
}

test('each rule has values that fall under it and values that do not', () => {
  assert.deepEqual(
    EXCLUDED.map(({ what }) => what),
    Object.keys(RULES),
  )
  for (const { what, find } of EXCLUDED) {
    for (const value of RULES[what]?.falls ?? []) assert.deepEqual(find(`(${value})`), [value], what)
    for (const value of RULES[what]?.stays ?? []) assert.deepEqual(find(`(${value})`), [], what)
  }
})

test('a value may be masked where a rule says so, and nowhere else', () => {
  const was = 'card 4111 1111 1111 1111, order ORD-2026-118820'
  const may = excludedIn(was)
  assert.ok(isMaskedOnlyAt(was, was, { may }))
  assert.ok(isMaskedOnlyAt(was, 'card ****, order ORD-2026-118820', { may }))
  assert.ok(!isMaskedOnlyAt(was, 'card ****, order ****', { may }))
  assert.ok(!isMaskedOnlyAt(was, 'card ****, order ORD-2026-11882', { may }))
  assert.ok(!isMaskedOnlyAt('no card', 'no ****', {}))
})

test('a secret must be masked', () => {
  const [was, must] = ['key sk-proj-abc, n 1', ['sk-proj-abc']]
  assert.ok(isMaskedOnlyAt(was, 'key ****, n 1', { must }))
  assert.ok(!isMaskedOnlyAt(was, was, { must }))
})
