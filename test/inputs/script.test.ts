// A script as the command of a task: which interpreter runs it.
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import test from 'tape'
import { createTaskFrom } from '../../lib/index.ts'
import type { BitWorkerError, CreateTaskFromOptions, Task } from '../../lib/index.ts'

const TAKEN: Array<[line: string, command: string, tools: string[] | undefined]> = [
  ['#!/bin/bash', 'bash ./a.b', undefined],
  ['#!/bin/sh -e', 'sh -e ./a.b', undefined],
  ['#!/usr/bin/env python3', 'python3 ./a.b', ['python3']],
  ['#! /usr/bin/env  -S python3 -u -X dev ', 'python3 -u -X dev ./a.b', ['python3']],
  ['#!/usr/local/bin/node', 'node ./a.b', ['node']],
  ['#!/usr/bin/awk -f', 'awk -f ./a.b', ['awk']],
  // the kernel gives all of it as one argument
  ['#!/usr/bin/perl -w -T', "perl '-w -T' ./a.b", ['perl']]
]

const REFUSED: Array<[text: string, why: RegExp]> = [
  ['import sys\n', /does not begin with #! and an interpreter, such as/],
  ['', /does not begin with #!/],
  ['\ufeff#!/bin/sh\n', /does not begin with #!/],
  [`#!/bin/sh ${'x'.repeat(300)}\n`, /does not begin with #!/],
  ['#!/usr/bin/env python3\r\n', /has lines that end with CR LF, as on Windows; save it with LF/],
  ['#!/home/me/venv/bin/python\n', /begins with #!\/home\/me\/venv\/bin\/python, which other machines do not have/],
  ['#!python3\n', /which other machines do not have/],
  ['#!\n', /begins with #!, which/],
  ['#!/usr/bin/env\n', /which other machines do not have/],
  ['#!/usr/bin/env python3 -u\n', /which other machines do not have/],
  ['#!/usr/bin/env -S A=1 python3\n', /which other machines do not have/],
  ['#!/usr/bin/env -S python3 "-c x"\n', /which other machines do not have/]
]

test('the interpreter of a script', async t => {
  const dir = await mkdtemp(path.join(tmpdir(), 'bitworker-script-'))
  t.teardown(async () => { await rm(dir, { recursive: true, force: true }) })
  const script = path.join(dir, 'a.b')
  const make = async (opts: Partial<CreateTaskFromOptions> = {}): Promise<Task> =>
    await createTaskFrom({ name: 'x', parts: 1, script, registry: path.join(dir, 'registry'), ...opts })
  for (const [line, command, tools] of TAKEN) {
    await writeFile(script, `${line}\n`)
    const task = await make()
    t.deepEqual([task.command, task.needs?.tools, task.inputs?.map(({ name }) => name)], [command, tools, ['a.b']], line)
  }
  for (const [text, why] of REFUSED) {
    await writeFile(script, text)
    const message = await make().then(() => 'not refused', (error: BitWorkerError) => `${error.code} ${error.message}`)
    t.match(message, why, JSON.stringify(text.slice(0, 40)))
    t.match(message, /^BW_ERR_INPUT_SOURCE The input "/)
  }
  await writeFile(script, '#!/usr/bin/env python3')
  const both = await make({ needs: { tools: ['gcc', 'python3'], cpus: 2 } })
  t.deepEqual(both.needs, { tools: ['gcc', 'python3'], cpus: 2 }, 'what it needs beside it')
  const refused = async (opts: object): Promise<string> =>
    await make(opts).then(() => 'not refused', (error: BitWorkerError) => `${error.code} ${error.message}`)
  t.equal(await refused({ command: 'x' }), 'BW_ERR_TASK_OPTIONS A task has either a command or a script, not both.')
  t.equal(await refused({ script: 5 }), 'BW_ERR_TASK_OPTIONS script must be a path.')
  t.match(await refused({ script: path.join(dir, 'none') }), /^BW_ERR_NOT_FOUND .* does not exist/)
  t.match(await refused({ script: dir }), /^BW_ERR_INPUT_SOURCE .*is a folder, but a file is needed/)
  t.match(await refused({ script: undefined }), /^BW_ERR_TASK_OPTIONS command must be a string/)
})
