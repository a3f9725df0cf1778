/** A sheet of paper for mouse, pen and finger; pictures can be dropped or chosen. */
import { createSignal, onMount, type JSX } from 'solid-js'
import { Button } from './basics.tsx'
import { Icon } from './Icon.tsx'

const SIDE = 280
const PEN = 20
/** The model is asked at most this often while the pen moves, ms. */
const ASK_MS = 120

export function DrawPad (props: { colour?: boolean, onDraw: (width: number, height: number, rgba: Uint8ClampedArray) => void, onPicture: (file: File) => void, onClear: () => void }): JSX.Element {
  let canvas!: HTMLCanvasElement
  const [over, setOver] = createSignal(false)
  const [empty, setEmpty] = createSignal(true)
  let last: { x: number, y: number } | undefined
  let timer: ReturnType<typeof setTimeout> | undefined

  const paper = (): void => {
    const c = canvas.getContext('2d', { willReadFrequently: true })
    if (c === null) return
    c.fillStyle = '#fff'
    c.fillRect(0, 0, SIDE, SIDE)
  }
  onMount(paper)
  const ask = (): void => {
    timer = undefined
    const c = canvas.getContext('2d', { willReadFrequently: true })
    if (c !== null) props.onDraw(SIDE, SIDE, c.getImageData(0, 0, SIDE, SIDE).data)
  }
  const at = (e: PointerEvent): { x: number, y: number } => {
    const box = canvas.getBoundingClientRect()
    return { x: (e.clientX - box.left) * SIDE / box.width, y: (e.clientY - box.top) * SIDE / box.height }
  }
  const stroke = (to: { x: number, y: number }): void => {
    const c = canvas.getContext('2d', { willReadFrequently: true })
    if (c === null) return
    c.strokeStyle = '#000'
    c.lineWidth = PEN
    c.lineCap = 'round'
    c.lineJoin = 'round'
    c.beginPath()
    c.moveTo(last?.x ?? to.x, last?.y ?? to.y)
    c.lineTo(to.x, to.y)
    c.stroke()
    last = to
    setEmpty(false)
    timer ??= setTimeout(ask, ASK_MS)
  }
  const clear = (): void => {
    clearTimeout(timer)
    timer = undefined
    paper()
    setEmpty(true)
    props.onClear()
  }
  const take = (file: File | undefined): void => { if (file !== undefined) { clear(); props.onPicture(file) } }

  return (
    <div class="pad" classList={{ 'pad-over': over() }}
      onDragOver={e => { e.preventDefault(); setOver(true) }}
      onDragLeave={() => { setOver(false) }}
      onDrop={e => { e.preventDefault(); setOver(false); take(e.dataTransfer?.files[0]) }}>
      <div class="pad-paper">
        <canvas ref={canvas} width={SIDE} height={SIDE} class="pad-canvas" data-testid="try-canvas" role="img" aria-label="Drawing area. With a keyboard, take a held-out record or choose a picture instead."
          onPointerDown={e => { e.preventDefault(); canvas.setPointerCapture(e.pointerId); last = undefined; stroke(at(e)) }}
          onPointerMove={e => { if (last !== undefined && e.buttons !== 0) for (const p of e.getCoalescedEvents?.() ?? [e]) stroke(at(p)) }}
          onPointerUp={() => { last = undefined; clearTimeout(timer); ask() }}
          onPointerCancel={() => { last = undefined }} />
        {empty() ? <span class="pad-hint" aria-hidden="true">{props.colour === true ? 'drop a picture, or draw' : 'draw here, or drop a picture'}</span> : ''}
      </div>
      <div class="row">
        <Button small icon="cross" data-testid="try-clear" onClick={clear}>Clear</Button>
        <label class="button button-plain button-small"><Icon name="upload" /><span>Choose a picture</span><input type="file" class="visually-hidden" accept="image/*" data-testid="try-file" onChange={e => { take(e.currentTarget.files?.[0]); e.currentTarget.value = '' }} /></label>
      </div>
    </div>
  )
}
