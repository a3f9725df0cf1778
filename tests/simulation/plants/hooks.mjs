/** Module hooks of plant.mjs: gives one source file with one fragment of it replaced. */
let plant

export function initialize (data) { plant = data }

export async function load (url, context, nextLoad) {
  const loaded = await nextLoad(url, context)
  if (!url.split('?')[0].endsWith(`/${plant.file}`)) return loaded
  const source = typeof loaded.source === 'string' ? loaded.source : new TextDecoder().decode(loaded.source)
  if (source.split(plant.find).length !== 2) throw new Error(`the planted bug ${plant.name} does not fit ${plant.file}: ${JSON.stringify(plant.find)} must stand in it once`)
  process.stderr.write(`planted: ${plant.name}\n`)
  return { ...loaded, source: source.replace(plant.find, plant.replace) }
}
