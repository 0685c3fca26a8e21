/**
 * One life of an engine process: started, loaded, spoken to, and buried. It never comes back; engine.ts starts the next.
 *
 * Vocabulary: the process connects to a socket that we listen on, so the end of either side is the end of the stream. It
 * is *silent* when no frame came for too long, and a rank *stands still* when its heartbeat counter does not move.
 * Invariants: the process is killed when it fails, when it is closed and when this process exits (and by the kernel,
 * should we be killed); `died` resolves exactly once, with what happened in words that name the author's sites.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DiagnosticError, diagnostic } from '../../compiler/diagnostics/diagnostic.ts'
import { exitText, failureText, faultText } from './engine-errors.ts'
import { Failure, Fault, type Frame, FrameReader, frame, frameTypes, Ready, type Result, resultsOf } from './wire.ts'

export interface ProcessOptions {
  readonly executable: string
  readonly loadPlan: Uint8Array
  /** Further words of its command line (codegen/device/engine/options.h). */
  readonly args?: readonly string[]
  readonly onProgress?: (loaded: number, total: number) => void
  /** How long it may be silent, and a rank stand still, before it is given up. */
  readonly silenceMs?: number
}

export class EngineProcess {
  readonly ready: Promise<Ready>
  /** Resolves when the process is gone or given up: with what happened, or undefined when it was closed in good order. */
  readonly died: Promise<DiagnosticError | undefined>
  onResults: (results: readonly Result[]) => void = () => {}
  /** Log records of the results that come next, as they were sent. */
  onLogs: (records: Buffer) => void = () => {}
  /** The engine refused the request that was just sent. */
  onRefused: (error: DiagnosticError) => void = () => {}

  private readonly child: ChildProcess
  private readonly server: Server
  private socket: Socket | undefined
  private readonly reader = new FrameReader()
  private readonly folder: string
  private stderr = ''
  private closing = false
  private said: DiagnosticError | undefined
  private heard = Date.now()
  private beats: { count: number; since: number }[] = []
  private readonly watch: NodeJS.Timeout
  private settleReady!: { resolve: (r: Ready) => void; reject: (e: unknown) => void }
  private settleDied!: (e: DiagnosticError | undefined) => void
  private isReady = false
  private readonly killOnExit = () => this.child.kill('SIGKILL')

  constructor(private readonly options: ProcessOptions) {
    this.ready = new Promise((resolve, reject) => {
      this.settleReady = { resolve, reject }
    })
    this.ready.catch(() => {})
    this.died = new Promise((resolve) => {
      this.settleDied = resolve
    })
    this.folder = mkdtempSync(join(tmpdir(), 'tilec-'))
    const path = join(this.folder, 'engine')
    this.server = createServer((socket) => this.accept(socket)).listen(path)
    this.child = spawn(options.executable, [path, ...(options.args ?? [])], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, CUDA_MODULE_LOADING: 'EAGER' },
    })
    this.child.stderr!.on('data', (text) => {
      this.stderr = (this.stderr + String(text)).slice(-4000)
    })
    this.child.on('error', (error) => this.fail(exitText(options.executable, error.message, '')))
    this.child.on('close', (status, signal) => void this.exited(status, signal))
    process.on('exit', this.killOnExit)
    this.watch = setInterval(() => this.checkSilence(), 500)
    this.watch.unref()
  }

  get pid(): number | undefined {
    return this.child.pid
  }

  send(bytes: Uint8Array): void {
    if (this.socket?.writable) this.socket.write(bytes)
  }

  /** Ends it: in good order where it listens, by force where it does not. */
  async close(): Promise<void> {
    this.closing = true
    this.send(frame('quit'))
    const force = setTimeout(() => this.child.kill('SIGKILL'), this.isReady ? 3000 : 0)
    await this.died
    clearTimeout(force)
  }

  private accept(socket: Socket): void {
    this.socket = socket
    this.server.close()
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      this.heard = Date.now()
      for (const f of this.reader.push(chunk)) this.take(f)
    })
    socket.write(frame('load', this.options.loadPlan))
  }

  private readonly handlers: Readonly<Record<number, (payload: Buffer) => void>> = {
    [frameTypes.progress]: (p) => this.options.onProgress?.(Number(p.readBigUInt64LE(0)), Number(p.readBigUInt64LE(8))),
    [frameTypes.ready]: (p) => {
      this.isReady = true
      this.settleReady.resolve(Ready.parse(JSON.parse(p.toString())))
    },
    [frameTypes.token]: (p) => this.onResults(resultsOf(p)),
    [frameTypes.logs]: (p) => this.onLogs(p),
    [frameTypes.heartbeat]: (p) => this.beat(p),
    [frameTypes.fault]: (p) => {
      this.said = new DiagnosticError([faultText(Fault.parse(JSON.parse(p.toString())))])
    },
    [frameTypes.error]: (p) => {
      const failure = Failure.parse(JSON.parse(p.toString()))
      const error = new DiagnosticError([failureText(failure)])
      if (failure.code === 'request') this.onRefused(error)
      else this.said = error
    },
    [frameTypes.bye]: () => {},
  }

  private take({ type, payload }: Frame): void {
    const handler = this.handlers[type]
    try {
      if (!handler) throw new Error('there is no such type')
      handler(payload)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      this.fail(diagnostic('TILE6010', `the engine sent a frame of type ${type} that makes no sense: ${why}`))
    }
  }

  private beat(payload: Buffer): void {
    const now = Date.now()
    for (let rank = 0; rank < payload.length / 4 - 1; rank++) {
      const count = payload.readUInt32LE(rank * 4)
      if (this.beats[rank]?.count !== count) this.beats[rank] = { count, since: now }
    }
  }

  private checkSilence(): void {
    const limit = this.options.silenceMs ?? 30_000
    const now = Date.now()
    const still = this.beats.findIndex((b) => now - b.since > limit)
    const seconds = `${limit / 1000} s`
    if (now - this.heard > (this.isReady ? limit : Math.max(limit, 120_000)))
      this.fail(diagnostic('TILE6012', `the engine has said nothing for ${seconds}; it was killed`))
    else if (still >= 0)
      this.fail(diagnostic('TILE6012', `rank ${still} has not moved for ${seconds}; the engine was killed`))
  }

  private fail(what: ReturnType<typeof diagnostic>): void {
    this.said ??= new DiagnosticError([what])
    this.child.kill('SIGKILL')
    if (this.child.pid === undefined) void this.exited(null, null)
  }

  /** The process is gone; what it said last may still be on its way through the socket. */
  private async exited(status: number | null, signal: NodeJS.Signals | null): Promise<void> {
    clearInterval(this.watch)
    const { socket } = this
    if (socket && !socket.closed) {
      const enough = setTimeout(() => socket.destroy(), 1000)
      await new Promise((resolve) => socket.once('close', resolve))
      clearTimeout(enough)
    }
    process.off('exit', this.killOnExit)
    this.server.close()
    rmSync(this.folder, { recursive: true, force: true })
    const how = signal ? `was killed by ${signal}` : `ended with status ${status}`
    const error =
      this.said ??
      (this.closing ? undefined : new DiagnosticError([exitText(this.options.executable, how, this.stderr)]))
    this.settleReady.reject(error ?? new DiagnosticError([diagnostic('TILE6014', 'the engine was closed')]))
    this.settleDied(error)
  }
}
