/** The node's actions across a message port: the node lives in a worker, the page calls it. */
import * as Comlink from 'comlink'
import type { NodeApi } from './api.ts'

export function exposeNode (node: NodeApi, port: Comlink.Endpoint): void {
  // A listener arrives as a proxy; what it returns to the page must be one as well.
  Comlink.expose({
    ...methods(node),
    listen: async (listener: Parameters<NodeApi['listen']>[0]) => Comlink.proxy(await node.listen(listener)),
    listenLibrary: async (listener: Parameters<NodeApi['listenLibrary']>[0]) => Comlink.proxy(await node.listenLibrary(listener))
  }, port)
}

/** Comlink walks own properties only; a class keeps its methods on the prototype. */
function methods (node: NodeApi): NodeApi {
  const bound: Partial<Record<keyof NodeApi, unknown>> = {}
  for (let o: object = node; o !== Object.prototype; o = Object.getPrototypeOf(o) as object) {
    for (const name of Object.getOwnPropertyNames(o) as Array<keyof NodeApi>) {
      const value: unknown = node[name]
      if (typeof value === 'function' && !(name in bound) && (name as string) !== 'constructor') bound[name] = value.bind(node)
    }
  }
  return bound as NodeApi
}

export function connectNode (port: Comlink.Endpoint): NodeApi {
  const remote = Comlink.wrap<NodeApi>(port)
  // Keeps this a plain object of functions: scripts on the page can list and call them.
  const call = new Proxy({}, { get: (_, name: string) => async (...args: unknown[]) => (remote as unknown as Record<string, (...a: unknown[]) => Promise<unknown>>)[name](...args) }) as NodeApi
  return {
    view: call.view,
    listen: async (listener) => {
      const stop = await remote.listen(Comlink.proxy(listener))
      return () => { void (stop as unknown as () => Promise<void>)() }
    },
    setMining: call.setMining,
    setEnvironment: call.setEnvironment,
    setLogLevel: call.setLogLevel,
    blocks: call.blocks,
    block: call.block,
    replayBlock: call.replayBlock,
    curve: call.curve,
    logs: call.logs,
    history: call.history,
    send: call.send,
    sendAgain: call.sendAgain,
    forgetUnsent: call.forgetUnsent,
    exportKey: call.exportKey,
    backupSaved: call.backupSaved,
    inspectBackup: call.inspectBackup,
    importKey: call.importKey,
    previewData: call.previewData,
    checkJob: call.checkJob,
    postJob: call.postJob,
    cancelJob: call.cancelJob,
    predict: call.predict,
    predictRow: call.predictRow,
    table: call.table,
    openModel: call.openModel,
    evaluate: call.evaluate,
    sample: call.sample,
    downloadModel: call.downloadModel,
    library: call.library,
    listenLibrary: async (listener) => {
      const stop = await remote.listenLibrary(Comlink.proxy(listener))
      return () => { void (stop as unknown as () => Promise<void>)() }
    },
    shareFiles: call.shareFiles,
    cancelShare: call.cancelShare,
    shareModel: call.shareModel,
    addToLibrary: call.addToLibrary,
    fetchItem: call.fetchItem,
    pauseItem: call.pauseItem,
    removeItem: call.removeItem,
    openFile: call.openFile,
    torrentFile: call.torrentFile,
    setLibrary: call.setLibrary,
    stop: call.stop
  }
}
