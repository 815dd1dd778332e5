import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ownSettings } from '../stack/own-stack.ts'
import { speed } from '../stack/speed.ts'

test('a SHAPE that does not exist is refused with the names that do', async () => {
  process.env.SHAPE = 'as shiped'
  await assert.rejects(
    speed(await ownSettings({ BOOT: 'native' }), () => {}),
    /^Error: SHAPE=as shiped is no variant\. There are: passthrough, textbook, .*as shipped, high volume, /,
  )
})
