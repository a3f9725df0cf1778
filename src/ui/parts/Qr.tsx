/** A QR code as one SVG path, dark on white in both themes, because cameras expect that. */
import { createMemo, type JSX } from 'solid-js'
import { encode } from 'uqr'

export function Qr (props: { text: string, label: string, size?: number }): JSX.Element {
  const code = createMemo(() => {
    const { data, size } = encode(props.text, { ecc: 'M', border: 2 })
    let path = ''
    for (let y = 0; y < size; y++) for (let x = 0; x < size; x++) if (data[y]?.[x] === true) path += `M${x} ${y}h1v1h-1z`
    return { path, size }
  })
  return (
    <svg class="qr" width={props.size ?? 176} height={props.size ?? 176} viewBox={`0 0 ${code().size} ${code().size}`} role="img" aria-label={props.label} shape-rendering="crispEdges">
      <rect width={code().size} height={code().size} fill="#fff" />
      <path d={code().path} fill="#000" />
    </svg>
  )
}
