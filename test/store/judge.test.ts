// Verify and compare commands: what they find, what they may do, and what follows from how they end.
import { existsSync, readdirSync } from 'node:fs'
import test from 'tape'
import type { Test } from 'tape'
import { BashExecutor } from '../../lib/executor/bash-executor.ts'
import { detectSandbox } from '../../lib/executor/sandbox/detect.ts'
import type { Judging, PieceDraft } from '../../lib/store/types.ts'
import { createTask } from '../../lib/task/task.ts'
import type { CreateTaskOptions } from '../../lib/task/task.ts'
import { cleanUp, createFolder } from '../helpers/disk.ts'
import { openStore } from '../helpers/stores.ts'
import type { OpenStore } from '../helpers/stores.ts'

async function storeOf (t: Test, opts: Partial<CreateTaskOptions>, executor?: BashExecutor): Promise<OpenStore> {
  const task = createTask({ name: 'x', command: 'echo $PIECE_IDX', parts: 4, pieceLength: 4_000_000, ...opts })
  return await openStore(t, task, createFolder(t), executor === undefined ? {} : { executor })
}

async function draftOf (store: OpenStore, index: number, content: string | Uint8Array): Promise<PieceDraft> {
  const bytes = Buffer.from(content)
  const draft = store.receive(index, bytes.length)
  await draft.write(0, bytes)
  return draft
}

/** What the command says of a piece that was downloaded. */
async function verdictOf (store: OpenStore, index: number, content: string | Uint8Array): Promise<string> {
  const draft = await draftOf(store, index, content)
  const judgement = await store.verifyBy(index, { size: content.length, draft }).done
  draft.discard()
  return judgement.verdict === 'unknown' ? (judgement.why as { code?: string }).code ?? String(judgement.why) : judgement.verdict
}

async function code ({ done }: Judging): Promise<unknown> {
  return await done.then(() => null, (err: { code?: string }) => err.code)
}

/** Nothing is left of the copies. */
function leftovers (store: OpenStore): string[] { return readdirSync(store.layout.work).filter(name => name.endsWith('.in')) }

test('a verify command judges a piece', async t => {
  const store = await storeOf(t, { verifyCommand: 'cmp -s - <(echo $PIECE_IDX)' })
  t.equal(await verdictOf(store, 2, '2\n'), 'right')
  t.equal(await verdictOf(store, 2, '3\n'), 'wrong')
  t.equal(await verdictOf(store, 2, ''), 'wrong')
  await store.generate(3).done
  t.equal((await store.verifyBy(3).done).verdict, 'right', 'of what is stored')
  t.deepEqual(leftovers(store), [])
})

test('it finds the variables, inputs and nothing but a copy of the piece', async t => {
  const { sandbox } = await detectSandbox()
  const large = Buffer.alloc(2_500_000, 'large')
  const plain = new BashExecutor()
  cleanUp(t, async () => { await plain.close() })
  const executors = [plain]
  if (sandbox !== null) {
    const confined = new BashExecutor({ sandbox })
    executors.push(confined)
    cleanUp(t, async () => { await confined.close() })
  }
  for (const executor of executors) {
    const store = await storeOf(t, {
      verifyCommand: '[ "$PIECE_IDX $TASK_NAME $PIECE_COUNT" = "1 x 4" ] && [ -z "$SECRET" ] && [ "$(wc -c)" = 2500000 ] && touch here && echo discarded && (: > /proc/self/fd/0 || true)'
    }, executor)
    t.equal(await verdictOf(store, 1, large), 'right', 'the whole of a large piece')
    t.equal(await verdictOf(store, 1, large.subarray(1)), 'wrong')
    const digest = Buffer.from((await store.generate(1).done).digest)
    await store.verifyBy(1).done
    t.ok(digest.equals(store.results.get(1)!.digest))
    t.ok(await store.verify(1), 'the piece is as it was')
    t.deepEqual(leftovers(store), [])
  }
})

test('whatever else happens, it cannot tell', async t => {
  const ways: Array<[command: string, says: string]> = [
    ['exit 2', 'BW_ERR_COMMAND_EXIT'],
    ['kill -9 $$', 'BW_ERR_COMMAND_SIGNAL'],
    ['no-such-program', 'BW_ERR_COMMAND_EXIT'],
    ['if', 'BW_ERR_COMMAND_EXIT'],
    ['sleep 1000', 'BW_ERR_COMMAND_TIMEOUT'],
    ['(sleep 1000; exit 0) & exit 0', 'BW_ERR_COMMAND_TIMEOUT'],
    ['yes', 'BW_ERR_COMMAND_']
  ]
  for (const [verifyCommand, says] of ways) {
    const store = await storeOf(t, { verifyCommand, verifyTimeoutMs: 1000 })
    const found = await verdictOf(store, 0, '0\n')
    t.ok(found.startsWith(says), `${verifyCommand}: ${found}`)
    t.deepEqual(leftovers(store), [])
  }
  const store = await storeOf(t, { verifyCommand: 'exit 1' })
  t.equal(await verdictOf(store, 0, '0\n'), 'wrong', 'only 1 is wrong')
})

test('it is killed with the store, and by whoever asked', async t => {
  const store = await storeOf(t, { verifyCommand: 'touch "$TMPDIR/begun"; sleep 1000' })
  const draft = await draftOf(store, 0, '0\n')
  const killed = store.verifyBy(0, { size: 2, draft })
  killed.kill()
  t.equal(await code(killed), 'BW_ERR_COMMAND_KILLED')
  const running = store.verifyBy(0, { size: 2, draft })
  await new Promise<void>(resolve => { store.close(() => { resolve() }) })
  t.equal(await code(running), 'BW_ERR_COMMAND_KILLED')
  t.notOk(existsSync(store.layout.lock) && leftovers(store).length > 0)
})

test('a compare command finds two results as files a and b', async t => {
  const store = await storeOf(t, { command: 'echo 1.00', compareCommand: 'paste a b | awk \'{ exit ($1 - $2) ^ 2 > 0.01 }\'' })
  await store.generate(1).done
  const compare = async (content: string): Promise<string> => {
    const draft = await draftOf(store, 1, content)
    const { verdict } = await store.compare(1, { size: content.length, draft }).done
    return verdict
  }
  t.equal(await compare('1.01\n'), 'right')
  t.equal(await compare('2.01\n'), 'wrong')
  t.deepEqual(leftovers(store), [])
})

test('which pieces are known to be right is known to the next run', async t => {
  const store = await storeOf(t, { verifyCommand: 'true' })
  const { task } = store
  await store.generate(0).done
  await store.generate(1).done
  store.setVerified(1)
  store.setVerified(2)
  t.deepEqual([0, 1, 2].map(index => store.isVerified(index)), [false, true, false], 'only what is stored')
  await new Promise<void>(resolve => { store.close(() => { resolve() }) })
  const again = await openStore(t, task, store.layout.folder)
  t.deepEqual([0, 1, 2].map(index => again.isVerified(index)), [false, true, false])
  again.drop(1)
  t.notOk(again.isVerified(1))
  await new Promise<void>((resolve, reject) => {
    again.put(1, Buffer.from('another'), err => { if (err == null) resolve(); else reject(err) })
  })
  t.notOk(again.isVerified(1), 'not of another result')
})
