import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type Decision, read } from './decision.ts'

const honey = { good: 'honey', price: 1.2, quantity: 2 }
const decision: Decision = { buy: honey, sell: null, mood: 0.7 }
const json = JSON.stringify(decision)

function decided(reply: string): { decision: Decision; repaired: boolean } {
  const reading = read(reply)
  assert.ok(reading.readable, `unreadable: ${reply.slice(0, 80)}`)
  return { decision: reading.decision, repaired: reading.repaired }
}

function why(reply: string): string {
  const reading = read(reply)
  assert.ok(!reading.readable, `readable: ${reply.slice(0, 80)}`)
  return reading.why
}

test('a plain object is read as it stands, whatever white space is around it', () => {
  for (const reply of [json, `\n  ${json}\r\n`, JSON.stringify(decision, null, 4)]) {
    assert.deepEqual(decided(reply), { decision, repaired: false })
  }
})

test('text that small models put around the object is taken off, and the reading says so', () => {
  const around: Record<string, string> = {
    fence: `\`\`\`json\n${json}\n\`\`\``,
    prose: `Sure! I am {hungry}, so:\n${json}\nHope this helps {smile}.`,
    'an unclosed brace before it': `I would { say: ${json}`,
    list: `[${json}]`,
    wrapper: `{"decision": ${json}}`,
    reasoning: `<think>Perhaps {"buy":null,"sell":null,"mood":0.1}? No: } {{</think>\n${json}`,
    'reasoning whose opening the template swallowed': `Perhaps {"buy":null,"mood":0.1}? No.</think>${json}`,
  }
  for (const [name, reply] of Object.entries(around)) {
    assert.deepEqual(decided(reply), { decision, repaired: true }, name)
  }
})

test('braces, quotes and backslashes inside a string do not end the object', () => {
  const odd = { ...decision, buy: { ...honey, good: 'a "}" in {a} \\ {{ C:\\' } }
  assert.deepEqual(decided(`Here: ${JSON.stringify(odd)} done }`).decision, odd)
})

test('of two objects the first that is a decision counts', () => {
  const other = JSON.stringify({ ...decision, mood: 0.1 })
  assert.deepEqual(decided(`${json} or ${other}`), { decision, repaired: true })
  assert.deepEqual(decided(`{"plan":"buy honey"} ${json}`).decision, decision)
})

test('broken JSON is never mended: truncated, single quotes, trailing comma, a draft in reasoning that never ends', () => {
  const broken = [
    json.slice(0, -1),
    `\`\`\`json\n${json.slice(0, 30)}`,
    json.replaceAll('"', "'"),
    json.replace('}', ',}'),
    `<think>maybe ${json} or`,
  ]
  for (const reply of broken) assert.ok(why(reply))
  assert.equal(why('I would like some honey, please.'), 'the reply holds no JSON object')
})

test('an empty reply is called empty', () => {
  for (const reply of ['', ' \n\t']) assert.equal(why(reply), 'the reply is empty')
})

test('a value of the wrong type or out of range is named by its key', () => {
  const wrong: [string, RegExp][] = [
    ['{}', /^mood: /],
    ['[]', /^the reply: /],
    ['null', /^the reply: /],
    ['"honey"', /^the reply: /],
    ['{"buy":null,"sell":null,"mood":"good"}', /^mood: /],
    ['{"buy":null,"sell":null,"mood":1.01}', /^mood: /],
    ['{"buy":null,"sell":null,"mood":-0.1}', /^mood: /],
    ['{"buy":null,"sell":null,"mood":null}', /^mood: /],
    ['{"buy":"honey","mood":0.5}', /^buy: /],
    ['{"buy":{"good":"honey","price":1},"mood":0.5}', /^buy\.quantity: /],
    ['{"sell":{"good":7,"price":1,"quantity":1},"mood":0.5}', /^sell\.good: /],
    ...['0', '-1', '1e999', '1000001', '"1"', 'null'].map((price): [string, RegExp] => [
      `{"buy":{"good":"honey","price":${price},"quantity":1},"mood":0.5}`,
      /^buy\.price: /,
    ]),
  ]
  for (const [reply, message] of wrong) assert.match(why(reply), message, reply)
  assert.equal(why('{"buy":{"good":"honey","price":NaN,"quantity":1},"mood":0.5}'), 'the reply holds no JSON object')
  assert.match(
    why('{"buy":{"good":"honey","price":1,"quantity":1},"mood":2}'),
    /^mood: .*<=1/,
    'the first fault, not the last',
  )
})

test('either side may be null or missing, and unknown keys are dropped', () => {
  assert.deepEqual(decided('{"mood":0}').decision, { mood: 0 })
  assert.deepEqual(decided('{"buy":null,"sell":null,"mood":1}').decision, { buy: null, sell: null, mood: 1 })
  const tainted = `{"__proto__":{"mood":9},"constructor":1,"note":"x",${json.slice(1)}`
  assert.deepEqual(decided(tainted).decision, decision)
})

test('a hostile reply of 100 kB costs less than a second of CPU time', () => {
  const hostile = ['{', '{"', '{"a":', '{}', '<think>', '</think>', '{"mood":2}', '```json\n{']
  for (const piece of hostile) {
    const reply = piece.repeat(100_000 / piece.length)
    const began = process.cpuUsage()
    assert.equal(read(reply).readable, false)
    const ms = process.cpuUsage(began).user / 1000
    assert.ok(ms < 1000, `${piece} took ${Math.round(ms)} ms`)
  }
})
