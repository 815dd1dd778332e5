import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readRange, type Swept, sweepReport, triesOf } from './sweep.ts'

const LIST = `
# A comment that names \${env:NOBODY:-1} reads nothing.
- name: keep-slow-calls
  type: ottl_condition
  ottl_condition:
    error_mode: ignore
    span:
      - (span.end_time - span.start_time) > Duration("\${env:SLOW_CALL:-2s}")
- name: keep-token-heavy
  type: numeric_attribute
  numeric_attribute:
    key: woodland.tokens
    min_value: \${env:TOKEN_HEAVY:-6000}
`
const valuesOf = (text: string) => readRange(text).values
const tries = (text: string, env: Record<string, string> = {}, timeFactor = 1) =>
  triesOf({ list: LIST, range: readRange(text), env, timeFactor }).map(
    ({ value, told, isInForce }) => `${value} → ${told}${isInForce ? ' *' : ''}`,
  )

describe('a range', () => {
  test('without a step has nine even values', () => {
    assert.deepEqual(valuesOf('slow-call=1s..5s'), [1e9, 1.5e9, 2e9, 2.5e9, 3e9, 3.5e9, 4e9, 4.5e9, 5e9])
    assert.deepEqual(valuesOf('token-heavy=3000..9000').at(1), 3750)
    assert.equal(valuesOf('token-heavy=3000..9000').length, 9)
  })

  test('with a step goes up to its end, and no further', () => {
    assert.deepEqual(valuesOf('slow-call=500ms..2s/500ms'), [5e8, 1e9, 1.5e9, 2e9])
    assert.deepEqual(valuesOf('token-heavy=3000..9000/2500'), [3000, 5500, 8000])
    assert.deepEqual(valuesOf('percent=0.1..0.3/0.1'), [0.1, 0.2, 0.3])
  })

  test('of whole numbers stays whole', () => {
    assert.deepEqual(valuesOf('tokens=1..5'), [1, 2, 3, 4, 5])
    assert.ok(valuesOf('tokens=1000..1999').every(Number.isInteger))
  })

  test('names its variable as make does, or as the file does', () => {
    assert.equal(readRange('slow-call=1s..5s').variable, 'SLOW_CALL')
    assert.equal(readRange('SLOW_CALL=1s..5s').variable, 'SLOW_CALL')
  })

  const refused: Readonly<Record<string, RegExp>> = {
    'slow-call': /is no range: write for example SWEEP=slow-call=1s\.\.5s/,
    'slow-call=2s': /is no range/,
    'slow-call=..5s': /has "", which is no number and no time/,
    'slow-call=1s..5parsecs': /has "5parsecs", which is no number and no time/,
    'slow-call=1s..5s/': /has "", which is no number/,
    'slow-call=1s..5': /mixes times and plain numbers/,
    'slow-call=1..5s': /mixes times and plain numbers/,
    'slow-call=1s..5s/500': /mixes times and plain numbers/,
    'slow-call=5s..1s': /does not go upwards, from 5s to 1s: write the smaller one first/,
    'slow-call=2s..2s': /does not go upwards/,
    'slow-call=1s..5s/0s': /has a step of nothing/,
    'token-heavy=1..51/1': /asks for 51 values, and one run can answer for 50: take larger steps/,
  }
  for (const [text, why] of Object.entries(refused)) {
    test(`${text} is refused`, () => assert.throws(() => readRange(text), { message: why, name: 'Error' }))
  }
  test('of fifty values is not', () => assert.equal(valuesOf('token-heavy=1..50/1').length, 50))
})

describe('the values to try', () => {
  test('mark the one in force', () => {
    assert.deepEqual(tries('slow-call=1s..3s/1s'), ['1 s → 1000000000ns', '2 s → 2s *', '3 s → 3000000000ns'])
  })

  test('hold the one in force in its order when the range leaves it out', () => {
    assert.deepEqual(tries('token-heavy=5000..7000/2000'), ['5000 → 5000', '6000 → 6000 *', '7000 → 7000'])
    assert.deepEqual(tries('token-heavy=1..2/1', { TOKEN_HEAVY: '1.5' }), ['1 → 1', '1.5 → 1.5 *', '2 → 2'])
    assert.deepEqual(tries('token-heavy=1..2/1', { TOKEN_HEAVY: '' }), ['1 → 1', '2 → 2', '6000 → 6000 *'])
  })

  test('are those of the world, and told in the time of a recording that ran faster', () => {
    assert.deepEqual(tries('slow-call=1s..3s/1s', { SLOW_CALL: '200ms' }, 10), [
      '1 s → 100000000ns',
      '2 s → 200ms *',
      '3 s → 300000000ns',
    ])
  })

  test('take a default that was rounded for what it was', () => {
    assert.deepEqual(tries('slow-call=1s..2s/1s', { SLOW_CALL: '667ms' }, 3), ['1 s → 333333333ns', '2 s → 667ms *'])
  })

  test('of a variable that the list does not read are refused with those it reads', () => {
    assert.throws(
      () => tries('nobody=1..5'),
      /NOBODY, which the list does not read; it reads slow-call \(2 s\), token-heavy \(6000\)/,
    )
    assert.throws(() => triesOf({ list: '[]', range: readRange('a=1..2'), env: {}, timeFactor: 1 }), /; it reads none/)
  })

  test('have the unit of the one in force', () => {
    assert.throws(
      () => tries('slow-call=1..5'),
      /tries plain numbers, but SLOW_CALL is a time, now 2 s: write the values/,
    )
    assert.throws(
      () => tries('token-heavy=1s..5s'),
      /tries times, but TOKEN_HEAVY is a number without a unit, now 6000: leave the units out/,
    )
  })
})

describe('the table of a sweep', () => {
  const row = { kept: 1, spans: 2, bytes: 3, usdKept: 0.5, isInForce: false }
  const swept: Swept = {
    variable: 'SLOW_CALL',
    traces: 4,
    rows: [
      { ...row, value: '1 s', isInForce: true, missed: { slow: 0, heavy: undefined } },
      { ...row, value: '2 s', missed: { slow: 7, heavy: undefined } },
    ],
  }

  test('shows what is missed, and that of an absent class nothing is known', () => {
    const text = sweepReport('head', swept, 'text').split('\n')
    assert.deepEqual(text.slice(2, 5), [
      'SLOW_CALL       kept  spans  bytes  USD kept  slow  heavy',
      '1 s (in force)     1      2      3  0.500000     0      –',
      '2 s                1      2      3  0.500000     7      –',
    ])
    assert.equal(text[6], 'No trace that must be kept is lost at 1 s.')
  })

  test('is drawn for a pull request, and as JSON', () => {
    assert.ok(sweepReport('head', swept, 'markdown').includes('| 2 s | 1 | 2 | 3 | 0.500000 | 7 | – |'))
    assert.deepEqual(JSON.parse(sweepReport('head', swept, 'json')).rows[1].missed, { slow: 7 })
  })
})
