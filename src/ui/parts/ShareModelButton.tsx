/** From a job to the library: its newest model becomes a file that is seeded. */
import { createSignal, Show, type JSX } from 'solid-js'
import type { Hex } from '../../bridge/api.ts'
import { useApp } from '../context.tsx'
import { sentence } from '../format.ts'
import { Button } from './basics.tsx'

/** Asks the node to seed the newest model of a job; the button shows how that goes. */
export function ShareModelButton (props: { job: Hex, onShared: (infoHash: Hex) => void, kind?: 'primary' }): JSX.Element {
  const app = useApp()
  const [busy, setBusy] = createSignal(false)
  const [refused, setRefused] = createSignal<string>()
  const share = async (): Promise<void> => {
    setBusy(true)
    const outcome = await app.attempt('Sharing the model', async () => await app.node.shareModel(props.job))
    setBusy(false)
    if (outcome === undefined) return
    if (!outcome.ok) { setRefused(outcome.errors.map(e => sentence(e.message)).join(' ')); return }
    app.toast('info', 'The model is in the library and is shared from here.')
    props.onShared(outcome.value.infoHash)
  }
  return (
    <>
      <Button kind={props.kind} icon="share" busy={busy()} data-testid="share-model" onClick={() => { void share() }}>Share the model</Button>
      <Show when={refused()}><p class="field-error" role="alert" data-testid="share-model-error">{refused()}</p></Show>
    </>
  )
}
