import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { COLLECTOR, EVENTS, GEN_AI, OPENINFERENCE, OTHER, WOODLAND } from '../vocabulary/attributes.ts'
import { flameOf } from './flame.ts'
import { mermaidReport } from './mermaid.ts'
import { pageReport } from './page.ts'
import { scenesOf } from './roles.ts'
import { type Sketch, sketched } from './sketch.ts'
import { explain } from './summary.ts'
import { textReport } from './text.ts'
import { treeOf } from './tree.ts'

const price = () => 1e-6
const of = (spans: readonly Sketch[]) => explain(sketched(spans), price)

/** A trace in which everything happens that a summary has a line for. */
const everything: readonly Sketch[] = [
  {
    id: 'tick',
    does: 'invoke_workflow',
    policy: 'keep-failed-calls',
    attributes: { [OPENINFERENCE.INPUT]: 'go', [OPENINFERENCE.OUTPUT]: 'done', [COLLECTOR.MASKED]: 1, a: '****' },
  },
  ...Array.from({ length: 12 }, (_, index) => `agent ${index}`).flatMap((agent, index): readonly Sketch[] => [
    {
      id: agent,
      under: 'tick',
      does: 'invoke_agent',
      agent,
      error: 'parse_error',
      from: index,
      to: 90 + (index % 9),
      events: [
        { name: EVENTS.FALLBACK },
        { name: EVENTS.REFUSED, attributes: { [WOODLAND.REASON]: 'self_buy' } },
        {
          name: EVENTS.EVALUATION,
          attributes: { [GEN_AI.EVALUATION_NAME]: 'allowed', [GEN_AI.EVALUATION_LABEL]: 'fail' },
        },
      ],
    },
    {
      id: `call of ${agent}`,
      under: agent,
      does: 'chat',
      from: 20,
      to: 60,
      error: '500',
      events: [{ name: EVENTS.RETRY }],
      attributes: {
        [GEN_AI.REQUEST_MODEL]: `model ${index}`,
        [GEN_AI.INPUT_TOKENS]: 5,
        [GEN_AI.OUTPUT_TOKENS]: 2,
        [WOODLAND.ATTEMPT]: 2,
        [GEN_AI.INPUT_MESSAGES]: 'what?',
        [GEN_AI.OUTPUT_MESSAGES]: 'that',
      },
    },
  ]),
  { id: 'orphan', under: 'gone' },
]

describe('text', () => {
  test('is at most twenty lines, also when everything happened', () => {
    const lines = textReport(of(everything).summary).split('\n')
    assert.equal(lines.length, 20)
    const labels = lines.slice(1).map((line) => line.slice(0, 10).trim())
    const expected =
      'when broken asked answered failed kept called time longest agents tokens costs again refused evaluated masked'
    assert.deepEqual(
      labels.filter((label) => label !== ''),
      expected.split(' '),
    )
    assert.match(lines.join('\n'), /^aaaa.*: tick, 12 of 12 agents failed$/m)
    assert.match(lines.join('\n'), /and \d+ other callers?: \d+ calls?|\d+ other callers: \d+ calls/)
  })

  test('has no line for what did not happen', () => {
    const text = textReport(of([{ id: 'only' }]).summary)
    assert.match(
      text,
      /^a{32}: only, went well\nwhen {6}.*, 100 ms, 1 span of forest\ntime {6}100 ms .*: 100 % own work\nlongest {3}only 100 ms$/,
    )
  })

  test('control characters and line breaks of a sender do not reach the terminal', () => {
    const nasty = 'a\u001b[31mred\u0007\r\nline\u202ebackwards'
    const text = textReport(
      of([{ id: 'only', name: nasty, error: nasty, service: nasty, attributes: { [OPENINFERENCE.INPUT]: nasty } }])
        .summary,
    )
    assert.ok(text.includes('red'))
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202e]/)
    for (const line of text.split('\n').slice(1)) assert.match(line, /^(?:[a-z]+ +| {10})\S/)
  })
})

/** Names that somebody would write to run a script in the reader's browser. */
const EVIL = '</script><script>alert(1)</script><img src=x onerror="alert(1)">\'"`&amp;{{x}}[y]|#;'
const evil: readonly Sketch[] = [
  {
    id: 'tick',
    name: EVIL,
    does: 'invoke_workflow',
    service: EVIL,
    policy: EVIL,
    error: EVIL,
    attributes: {
      [GEN_AI.WORKFLOW]: EVIL,
      [OPENINFERENCE.INPUT]: EVIL,
      [OPENINFERENCE.OUTPUT]: EVIL,
      [COLLECTOR.MASKED]: 1,
      [EVIL]: '****',
    },
  },
  {
    id: 'turn',
    under: 'tick',
    name: EVIL,
    does: 'invoke_agent',
    agent: EVIL,
    error: EVIL,
    events: [
      { name: EVENTS.EVALUATION, attributes: { [GEN_AI.EVALUATION_NAME]: EVIL, [GEN_AI.EVALUATION_LABEL]: EVIL } },
      { name: EVENTS.REFUSED, attributes: { [WOODLAND.REASON]: EVIL, [WOODLAND.GOOD]: EVIL } },
    ],
  },
  {
    id: 'call',
    under: 'turn',
    name: EVIL,
    does: 'chat',
    error: EVIL,
    attributes: { [GEN_AI.REQUEST_MODEL]: EVIL, [GEN_AI.INPUT_TOKENS]: 1, [OTHER.ERROR_TYPE]: EVIL },
  },
  { id: 'tool', under: 'turn', name: EVIL, does: 'execute_tool', attributes: { [GEN_AI.TOOL_NAME]: EVIL } },
]

describe('page', () => {
  test('everything that came from a span is escaped: only tags and attributes of the page itself are left', () => {
    const tagsOf = (page: string) =>
      [...page.matchAll(/<([a-z!/][^\s>]*)((?:[^">]|"[^"]*")*)>/gi)].map(([, tag = '', rest = '']) =>
        [tag, [...rest.replaceAll(/"[^"]*"/g, '').matchAll(/([\w-]+)=/g)].map(([, key]) => key).join()].join(' '),
      )
    const harmless = evil.map((one) =>
      JSON.parse(JSON.stringify(one).replaceAll(JSON.stringify(EVIL).slice(1, -1), 'harmless')),
    )
    const page = pageReport(of(evil))
    assert.deepEqual(
      tagsOf(page),
      tagsOf(pageReport(of(harmless))),
      'no tag or attribute is there that harmless names do not have',
    )
    assert.doesNotMatch(page, /<script|<img|onerror="/i)
    assert.ok(page.includes('&#60;/script&#62;'), 'and the names are shown')
    assert.match(page, /default-src 'none'/)
  })

  test('nothing is loaded from a network', () => {
    const page = pageReport(of(everything))
    assert.doesNotMatch(page, /https?:|src=|@import|url\((?!#)/)
  })

  test('links lead to where else the trace is, and nothing of them breaks the page', () => {
    const page = pageReport(of(everything), [['Read it in Phoenix', 'http://127.0.0.1:6006/a?b="&c']])
    assert.match(page, /<a href="http:\/\/127\.0\.0\.1:6006\/a\?b=&#34;&#38;c">Read it in Phoenix<\/a>/)
    assert.doesNotMatch(pageReport(of(everything)), /<a /)
  })

  test('5,000 spans are a page of less than a megabyte', () => {
    const many = Array.from(
      { length: 5000 },
      (_, index): Sketch => ({
        id: `${index}`,
        ...(index > 0 && { under: `${Math.floor(index / 3)}` }),
        from: index % 40,
        to: 60 + (index % 40),
        agent: `agent ${index % 300}`,
        does: 'invoke_agent',
      }),
    )
    const page = pageReport(of(many))
    assert.ok(page.length < 1_000_000, `${page.length}`)
    assert.match(page, /… and 4,600 more spans/)
  })
})

describe('flame graph', () => {
  const flame = (spans: readonly Sketch[]) => {
    const tree = treeOf(sketched(spans))
    return flameOf(tree, scenesOf(tree))
  }

  test('what ran at the same time is beside each other in time, so it has lines of its own', () => {
    const { bars, rows } = flame([
      { id: 'tick' },
      { id: 'fox', under: 'tick', agent: 'fox', from: 0, to: 80 },
      { id: 'bear', under: 'tick', agent: 'bear', from: 10, to: 70 },
      { id: 'market', under: 'tick', from: 85, to: 95 },
      { id: 'call', under: 'bear', from: 20, to: 50 },
    ])
    assert.equal(rows, 4)
    assert.deepEqual(
      bars.map(({ name, row, left, width, parallel }) => [name, row, left, width, parallel]),
      [
        ['tick', 0, 0, 1, false],
        ['fox', 1, 0, 0.8, true],
        ['market', 1, 0.8, 0.1, true],
        ['bear', 2, 0, 0.6, true],
        ['call', 3, 0, 0.3, false],
      ],
    )
  })

  test('spans of one name and agent are one bar, as wide as the time that they cover', () => {
    const { bars } = flame([
      { id: 'turn', agent: 'fox' },
      { id: 'a', under: 'turn', name: 'chat', from: 0, to: 40 },
      { id: 'b', under: 'turn', name: 'chat', from: 30, to: 60, error: '500' },
      { id: 'c', under: 'turn', name: 'chat', from: 80, to: 90 },
    ])
    const chat = bars.find(({ name }) => name === 'chat')
    assert.deepEqual([chat?.count, chat?.errors, chat?.ms, chat?.width], [3, 1, 70, 0.7])
  })

  test('no bar is wider than the one above it, and bars of one line do not overlap', () => {
    const { bars, rows, left } = flame(everything)
    assert.ok(bars.length > 20 && left === 0)
    for (let row = 0; row < rows; row++) {
      const its = bars.filter((bar) => bar.row === row).sort((one, other) => one.left - other.left)
      for (const [index, bar] of its.entries()) {
        assert.ok(bar.left >= -1e-9 && bar.left + bar.width <= 1 + 1e-9)
        const next = its[index + 1]
        if (next) assert.ok(bar.left + bar.width <= next.left + 1e-9, `${bar.name} and ${next.name}`)
      }
    }
    for (const call of bars.filter(({ name }) => name.startsWith('call of'))) {
      const above = bars.find(({ name }) => name === call.name.replace('call of ', ''))
      assert.ok(above && call.width <= above.width && call.left >= above.left)
    }
  })
})

test('Mermaid: one node for each party, one arrow for each edge, and no name that ends its text', () => {
  const text = mermaidReport(of(evil).summary)
  const lines = text.split('\n').slice(1)
  assert.equal(text.split('\n')[0], 'flowchart LR')
  for (const line of lines)
    assert.match(line, /^ {2}n\d+(?:\S{1,2}"[^"<>`&|[\]{}]*"\S{1,2}| -->\|"[\d×, a-z]+"\| n\d+)$/)
  assert.deepEqual([lines.filter((line) => line.includes('-->')).length, lines.length], [3, 7])
})
