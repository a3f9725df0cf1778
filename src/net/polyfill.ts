/** Promise.withResolvers for Node 20, which libp2p's packages use. Import it before them. */
interface Resolvers { readonly promise: Promise<unknown>, readonly resolve: (v: unknown) => void, readonly reject: (e: unknown) => void }

const promise = Promise as unknown as { withResolvers?: () => Resolvers }

if (typeof promise.withResolvers !== 'function') {
  Object.defineProperty(Promise, 'withResolvers', {
    configurable: true,
    writable: true,
    value (this: PromiseConstructor): Resolvers {
      let resolve!: (v: unknown) => void
      let reject!: (e: unknown) => void
      const promise = new this<unknown>((ok, bad) => {
        resolve = ok
        reject = bad
      })
      return { promise, resolve, reject }
    }
  })
}
