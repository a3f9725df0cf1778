/** What the pool and its workers say to each other. */
import type { BackendName, EvaluationResult, EvaluationTask, PredictionResult, SliceResult, SliceTask } from '../ports/compute.ts'

export type Work =
  | { readonly kind: 'slice', readonly task: SliceTask }
  | { readonly kind: 'evaluate', readonly task: EvaluationTask }
  | { readonly kind: 'predict', readonly task: EvaluationTask }

/** The first request opens the backend; each later one is answered before the next is sent. */
export type Request = { readonly kind: 'open', readonly backend: BackendName } | Work

/** The backend that passed its self-test, and why the wanted one did not. */
export interface Opened { readonly backend: BackendName, readonly failure?: string }

export type Reply =
  | { readonly kind: 'open', readonly value: Opened }
  | { readonly kind: 'slice', readonly value: SliceResult }
  | { readonly kind: 'evaluate', readonly value: EvaluationResult }
  | { readonly kind: 'predict', readonly value: PredictionResult }
  | { readonly kind: 'error', readonly error: string }

/** A thread that serves requests (service.ts), in a browser or in Node. */
export interface WorkerLike {
  post (request: Request): void
  /** Called once. After `onCrash` nothing more comes. */
  listen (onReply: (reply: Reply) => void, onCrash: (reason: string) => void): void
  terminate (): void
}
