/** Packages without types of their own. */
/** The same for Node, where it is the twin of the page's in tests. */
declare module 'webtorrent' {
  const WebTorrent: import('./webtorrentTypes.ts').ClientClass
  export default WebTorrent
}

declare module 'webtorrent/dist/webtorrent.min.js' {
  const WebTorrent: import('./webtorrentTypes.ts').ClientClass
  export default WebTorrent
}
