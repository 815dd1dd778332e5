import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { type Sketch, sketched } from './sketch.ts'
import { explain } from './summary.ts'
import { textReport } from './text.ts'
import { type Tree, treeOf } from './tree.ts'

const kinds = ({ defects }: Tree) => defects.map(({ kind, count }) => [kind, count])
const placed = ({ nodes }: Tree) => nodes.map(({ span, start, end }) => [span.spanId, start, end])
const free = () => 0

/** What holds for every trace, whatever is wrong with it: each span once, inside of its parent, and a text that says what is broken. */
function said(spans: ReturnType<typeof sketched>): string {
  const { summary, tree } = explain(spans, free)
  const ids = tree.nodes.map(({ span }) => span)
  assert.equal(new Set(ids).size, ids.length, 'each span is there once')
  for (const { parent, start, end } of tree.nodes) {
    assert.ok(start <= end)
    if (parent) assert.ok(start >= parent.start && end <= parent.end)
  }
  const text = textReport(summary)
  assert.ok(text.split('\n').length <= 20)
  assert.equal(text.includes('\nbroken '), tree.defects.length > 0)
  return text
}

test('a whole trace has no defect, in whatever order its spans come', () => {
  const spans = sketched([
    { id: 'root' },
    { id: 'turn', under: 'root', from: 10, to: 90 },
    { id: 'call', under: 'turn', from: 20, to: 80 },
  ])
  for (const order of [spans, spans.toReversed()]) {
    const tree = treeOf(order)
    assert.deepEqual([kinds(tree), tree.ms], [[], 100])
    assert.deepEqual(placed(tree), [
      ['root', 0, 100],
      ['turn', 10, 90],
      ['call', 20, 80],
    ])
    said(order)
  }
})

const broken: Readonly<Record<string, { spans: readonly Sketch[]; kinds: ReturnType<typeof kinds>; says: RegExp }>> = {
  'spans without their parent': {
    spans: [{ id: 'root' }, { id: 'a', under: 'gone' }, { id: 'b', under: 'gone' }, { id: 'c', under: 'lost' }],
    kinds: [['missing parent', 3]],
    says: /broken {4}3 spans are under 2 parents that are not in the trace: shown as if they were roots$/m,
  },
  'no root at all': {
    spans: [{ id: 'a', under: 'gone' }],
    kinds: [
      ['no root', 1],
      ['missing parent', 1],
    ],
    says: /no root: .*1 span is under a parent that is not in the trace/,
  },
  'two roots': {
    spans: [
      { id: 'one', to: 40 },
      { id: 'two', from: 60 },
    ],
    kinds: [['two roots', 2]],
    says: /2 roots: shown side by side/,
  },
  'a span that is its own parent': {
    spans: [{ id: 'root' }, { id: 'self', under: 'self' }],
    kinds: [['cycle', 1]],
    says: /a ring of spans that are parents of each other/,
  },
  'two rings, with spans below them': {
    spans: [
      { id: 'root' },
      { id: 'a', under: 'b', from: 20 },
      { id: 'b', under: 'a', from: 10 },
      { id: 'leaf', under: 'a', from: 30 },
      { id: 'c', under: 'd' },
      { id: 'd', under: 'c' },
    ],
    kinds: [['cycle', 2]],
    says: /2 rings of spans/,
  },
  'a span that was sent twice': {
    spans: [{ id: 'root' }, { id: 'a', under: 'root', to: 50 }, { id: 'a', under: 'root', to: 50 }],
    kinds: [['same id', 1]],
    says: /1 span is there twice: each counts once/,
  },
  'another span with the same id': {
    spans: [{ id: 'root' }, { id: 'a', under: 'root', to: 50 }, { id: 'a', under: 'root', name: 'other', to: 60 }],
    kinds: [['same id', 1]],
    says: /1 span has the id of another: each is shown/,
  },
  'a child of another process before its parent': {
    spans: [
      { id: 'root', from: 1000, to: 1100 },
      { id: 'far', under: 'root', from: 0, to: 40, service: 'town' },
    ],
    kinds: [['clocks', 1]],
    says: /1 span is outside of the parent by up to 1000 ms, so clocks differ/,
  },
  'a child of the same process before its parent': {
    spans: [
      { id: 'root', from: 50, to: 100 },
      { id: 'near', under: 'root', from: 0, to: 70 },
    ],
    kinds: [['clocks', 1]],
    says: /outside of the parent by up to 50 ms/,
  },
  'a child that goes on after its parent': {
    spans: [
      { id: 'root', to: 100 },
      { id: 'late', under: 'root', from: 50, to: 400 },
    ],
    kinds: [['ends late', 1]],
    says: /1 span is longer than the parent: only the time inside of it counts/,
  },
  'a span without times': {
    spans: [{ id: 'root' }, { id: 'none', under: 'root', from: -1_795_223_772_000, to: -1_795_223_772_000 }],
    kinds: [['no time', 1]],
    says: /1 span is without a start and an end after it/,
  },
  'a span that ends before it starts': {
    spans: [{ id: 'root' }, { id: 'back', under: 'root', from: 50, to: 20 }],
    kinds: [['no time', 1]],
    says: /without a start and an end after it/,
  },
  'a trace without length': {
    spans: [
      { id: 'root', to: 0 },
      { id: 'a', under: 'root', to: 0 },
    ],
    kinds: [['no length', 1]],
    says: /it has no length, so nothing can be said about time/,
  },
}

describe('what is broken is said, and the rest is still told', () => {
  for (const [name, one] of Object.entries(broken)) {
    test(name, () => {
      const spans = sketched(one.spans)
      for (const order of [spans, spans.toReversed()]) {
        assert.deepEqual(kinds(treeOf(order)), one.kinds)
        assert.match(said(order), one.says)
      }
    })
  }
})

test('a span of another process is moved with all below it, and keeps its length', () => {
  const tree = treeOf(
    sketched([
      { id: 'call', from: 1000, to: 1100 },
      { id: 'server', under: 'call', from: 0, to: 40, service: 'town' },
      { id: 'inner', under: 'server', from: 10, to: 30, service: 'town' },
    ]),
  )
  assert.deepEqual(placed(tree), [
    ['call', 1000, 1100],
    ['server', 1000, 1040],
    ['inner', 1010, 1030],
  ])
})

test('clocks that differ by what an SDK rounds are no defect', () => {
  const spans = sketched([{ id: 'call' }, { id: 'server', under: 'call', from: -1, to: 101, service: 'town' }])
  assert.deepEqual(kinds(treeOf(spans)), [])
})

test('a single span is a whole trace, and no span at all ends nothing', () => {
  assert.deepEqual(kinds(treeOf(sketched([{ id: 'only' }]))), [])
  said(sketched([{ id: 'only' }]))
  assert.deepEqual([treeOf([]).nodes, treeOf([]).defects], [[], []])
})

const COUNT = 5000
const giants: Readonly<Record<string, (index: number) => Sketch>> = {
  'beside each other': (index) => ({
    id: `${index}`,
    ...(index > 0 && { under: '0' }),
    from: index % 50,
    to: 100 - (index % 50),
  }),
  'below each other': (index) => ({
    id: `${index}`,
    ...(index > 0 && { under: `${index - 1}` }),
    from: index / 200,
    to: 100 - index / 200,
  }),
  'in one ring': (index) => ({ id: `${index}`, under: `${(index + 1) % COUNT}`, from: index / 100, to: 100 }),
  'each without its parent': (index) => ({ id: `${index}`, under: `gone ${index}` }),
  'each its own ring': (index) => ({ id: `${index}`, under: `${index}` }),
  'with one id': (index) => ({ id: 'same', name: `${index}`, ...(index > 0 && { under: 'same' }) }),
}

describe('5,000 spans take less than two seconds', () => {
  for (const [name, at] of Object.entries(giants)) {
    test(name, () => {
      const spans = sketched(
        Array.from({ length: COUNT }, (_, index) => ({
          does: index % 3 === 0 ? 'chat' : index % 3 === 1 ? 'execute_tool' : 'invoke_agent',
          agent: `agent ${index % 700}`,
          ...at(index),
        })),
      )
      // Of the processor, because other tests may keep the machine busy.
      const before = process.cpuUsage()
      said(spans)
      const { user, system } = process.cpuUsage(before)
      const ms = (user + system) / 1000
      assert.ok(ms < 2000, `${Math.round(ms)} ms`)
    })
  }
})
