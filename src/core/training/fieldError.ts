/** A refusal that a person can act on: which field, what was wrong, what was expected. */
export interface FieldError {
  readonly field: string
  readonly message: string
  /** Line of the text it was read from, from 1. */
  readonly line?: number
}

export type Outcome<T> =
  | { readonly ok: true, readonly value: T }
  | { readonly ok: false, readonly errors: readonly FieldError[] }
