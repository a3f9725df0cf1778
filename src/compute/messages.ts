/** What the pool and its workers say to each other. */
import type { BackendChoice, BackendName, BackendReport, EvaluationResult, EvaluationTask, PredictionResult, SliceResult, SliceTask } from '../ports/compute.ts'

export type Work =
  | { readonly kind: 'slice', readonly task: SliceTask }
  | { readonly kind: 'evaluate', readonly task: EvaluationTask }
  | { readonly kind: 'predict', readonly task: EvaluationTask }

/** The first request opens the backend; each later one is answered before the next is sent. */
export type Request = { readonly kind: 'open', readonly backend: BackendChoice, readonly given?: readonly BackendReport[] } | Work

/** The backend in use, why the wanted one is not, and what became of each. */
export interface Opened { readonly backend: BackendName, readonly failure?: string, readonly reports: readonly BackendReport[] }

export type Reply =
  | { readonly kind: 'open', readonly value: Opened }
  | { readonly kind: 'slice', readonly value: SliceResult }
  | { readonly kind: 'evaluate', readonly value: EvaluationResult }
  | { readonly kind: 'predict', readonly value: PredictionResult }
  /** Comes before the answer to a request, not instead of it. */
  | { readonly kind: 'news', readonly value: Opened }
  | { readonly kind: 'error', readonly error: string }
  /** The backend's device is gone: the task may run elsewhere, this worker does nothing more. */
  | { readonly kind: 'lost', readonly error: string }

/** A thread that serves requests (service.ts), in a browser or in Node. */
export interface WorkerLike {
  post (request: Request): void
  /** Called once. After `onCrash` nothing more comes. */
  listen (onReply: (reply: Reply) => void, onCrash: (reason: string) => void): void
  terminate (): void
}
