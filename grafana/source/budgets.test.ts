import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { parseBudgets, readBudgets, renderBudgetRules } from './budgets.ts'
import { series } from './metrics.ts'

type Rule = { record: string; expr: string; labels?: Record<string, string> }
const rules = (text: string) =>
  (parse(renderBudgetRules(parseBudgets(text))) as { groups: readonly { rules: readonly Rule[] }[] }).groups[0]?.rules

test('the shipped file has a default for every agent', () => {
  const shipped = fileURLToPath(new URL('../budgets.yaml', import.meta.url))
  assert.deepEqual(readBudgets(shipped), { default: 1, agents: {} })
})

test('an agent that is listed has its own budget, and every other one the default', () => {
  const budgets = rules('default: 2\nagents: { fox: 1.5, my.agent: 20 }\n')?.filter(
    ({ record }) => record === series.budget,
  )
  assert.deepEqual(budgets, [
    { record: series.budget, expr: 'vector(1.5)', labels: { gen_ai_agent_name: 'fox' } },
    { record: series.budget, expr: 'vector(20)', labels: { gen_ai_agent_name: 'my.agent' } },
    { record: series.budget, expr: `${series.spent.day}{gen_ai_agent_name!~"fox|my\\\\.agent"} * 0 + 2` },
  ])
})

test('what was spent is the sum of all that was charged', () => {
  const day = rules('default: 2\n')?.find(({ record }) => record === series.spent.day)
  assert.ok(day?.expr.endsWith(`(sum_over_time(${series.charged}[1d]))`), day?.expr)
})

const defects: readonly (readonly [name: string, text: string, message: RegExp])[] = [
  [
    'no default',
    'agents: { fox: 1 }\n',
    /^b\.yaml:1: default is missing: a budget is a number of USD per agent and day/,
  ],
  ['a currency', 'default: 1\nagents:\n  fox: $2\n', /^b\.yaml:3: agents\.fox is "\$2": .* without quotes or currency/],
  [
    'a budget of nothing',
    'default: 0\n',
    /^b\.yaml:1: default is 0: .* at least 0\.002; an agent that may spend nothing/,
  ],
  ['a negative budget', 'default: 1\nagents: { fox: -1 }\n', /^b\.yaml:2: agents\.fox is -1: .* at least 0\.002/],
  [
    'another unit',
    'default: 100000000\n',
    /^b\.yaml:1: default is 100000000: .* at most 1000000; is it in another unit/,
  ],
  [
    'an agent beside the others',
    'default: 1\nfox: 2\n',
    /^b\.yaml:2: fox is 2: the file has only .* move it below agents$/,
  ],
  ['a list of agents', 'default: 1\nagents: [fox]\n', /^b\.yaml:2: agents is \["fox"\]: agents maps the names/],
  [
    'an agent that stands twice',
    'default: 1\nagents:\n  fox: 1\n  fox: 2\n',
    /^b\.yaml:4: .*: a key stands once; keep one/,
  ],
  ['an empty file', '', /^b\.yaml:1: the file is empty: the file has the keys default and agents; write e\.g\./],
  ['broken YAML', 'default: [1\n', /^b\.yaml:\d+: the text is .*: the file is YAML; /],
]
for (const [name, text, message] of defects) {
  test(`one clear error for ${name}`, () => {
    assert.throws(
      () => parseBudgets(text, 'b.yaml'),
      (error: Error) => {
        assert.match(error.message, message)
        assert.equal(error.message.split('\n').length, 1, error.message)
        return true
      },
    )
  })
}

test('a file that is not there is named', () => {
  assert.throws(() => readBudgets('/nowhere/budgets.yaml'), { message: /^\/nowhere\/budgets\.yaml: cannot be read/ })
})
