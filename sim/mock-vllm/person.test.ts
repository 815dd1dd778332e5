import assert from 'node:assert/strict'
import { test } from 'node:test'
import { personalNote } from './person.ts'

const notes = Array.from({ length: 200 }, (_, seed) => personalNote(seed))
const found = (pattern: RegExp) => notes.flatMap((note) => note.match(pattern) ?? [])

test('cards pass the Luhn check', () => {
  const cards = found(/card [\d ]{19}/g).map((card) => card.replace(/\D/g, ''))
  assert.ok(cards.length > 20)
  for (const card of cards) {
    const sum = [...card].reverse().reduce((total, digit, i) => {
      const value = Number(digit) * (i % 2 === 1 ? 2 : 1)
      return total + (value > 9 ? value - 9 : value)
    }, 0)
    assert.equal(sum % 10, 0, card)
    assert.equal(card.length, 16)
  }
})

test('account numbers pass the IBAN check', () => {
  const ibans = found(/GB\d\d[A-Z]{4}\d{14}/g)
  assert.ok(ibans.length > 20)
  for (const iban of ibans) {
    const digits = [...`${iban.slice(4)}${iban.slice(0, 4)}`].map((c) => Number.parseInt(c, 36)).join('')
    assert.equal(BigInt(digits) % 97n, 1n, iban)
  }
})

test('e-mail, phone and address are from ranges reserved for examples', () => {
  assert.ok(found(/@/g).length > 20 && found(/@example\.(com|org|net)/g).length === found(/@/g).length)
  assert.ok(found(/phone \d{3}-555-01\d\d/g).length === found(/phone/g).length)
  assert.ok(found(/203\.0\.113\.\d+/g).length > 20)
})
