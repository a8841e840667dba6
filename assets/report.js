// The page's only script: it shows another size of block, describes what is under the pointer, copies and saves.
const SVG = 'http://www.w3.org/2000/svg'
const BAND = 1.96

for (const section of document.querySelectorAll('section.result')) startResult(section)
for (const button of document.querySelectorAll('button.copy')) {
  button.addEventListener('click', () => copyText(button))
}
for (const button of document.querySelectorAll('.save button')) {
  button.addEventListener('click', () => savePicture(button.closest('figure'), button.dataset.as))
}
addEventListener('beforeprint', () => {
  for (const details of document.querySelectorAll('details')) details.open = true
})

function startResult(section) {
  const data = JSON.parse(section.querySelector('script.data').textContent)
  const slider = section.querySelector('input[type=range]')
  const curve = section.querySelector('.curve')
  let n = data.n
  const show = (size) => {
    n = size
    slider.value = String(n)
    showVerdict(section, data, n)
    drawCurve(curve, data, n)
    showBand(section, data, n)
    for (const map of section.querySelectorAll('.map')) moveChosen(map, data.verdicts[n - 1])
  }
  slider.addEventListener('input', () => show(Number(slider.value)))
  for (const map of section.querySelectorAll('.map')) startMap(map, section, data, show)
  followCurve(curve, data, () => n)
  new ResizeObserver(() => drawCurve(curve, data, n)).observe(curve)
  // a reload may keep the slider at its place
  show(data.n)
}

function showVerdict(section, data, n) {
  const verdict = data.verdicts[n - 1]
  const box = section.querySelector('.verdict')
  box.className = `verdict ${verdict.standing}`
  for (const part of ['headline', 'detail', 'badge', 'reason']) {
    box.querySelector(`.${part}`).textContent = verdict[part]
  }
  const strip = box.querySelector('.layers')
  strip.setAttribute('aria-label', `${data.layers} layers, of which ${nameLayers(verdict)} are removed`)
  for (const [layer, cell] of [...strip.children].entries()) {
    cell.classList.toggle('goes', verdict.start <= layer && layer < verdict.end)
  }
  box.querySelector('output').textContent = String(n)
  section.querySelector('.yaml pre').textContent = data.yaml[n - 1]
  section.querySelector('.command pre').textContent = data.commands[n - 1]
  section.querySelector('summary .n').textContent = n === 1 ? '1 layer' : `${n} layers`
  const rows = section.querySelector('.rest tbody')
  rows.replaceChildren(...data.distances[n].map((_, start) => tableRow(data, n, start)))
  const metrics = section.querySelector('.metrics tbody')
  metrics?.replaceChildren(...data.metricRows[n - 1].map(metricRow))
  // whole rows above the marked one, or half of one would show under the head
  const scroll = rows.closest('.scroll')
  const height = (part) => part.getBoundingClientRect().height
  const above = Math.floor((scroll.clientHeight / height(rows.children[0]) - 2) / 2)
  const first = rows.children[Math.max(0, verdict.start - above)]
  scroll.scrollTop = first.getBoundingClientRect().top - rows.getBoundingClientRect().top
}

function tableRow(data, n, start) {
  const row = document.createElement('tr')
  const block = { start, end: start + n }
  const error = data.standardErrors[n][start]
  row.classList.toggle('best', start === data.verdicts[n - 1].start)
  for (const text of [
    n === 1 ? start : `${start}..${block.end - 1}`,
    start,
    block.end,
    formatDistance(data.distances[n][start]),
    error === null ? '' : formatDistance(error),
  ]) {
    row.insertCell().textContent = String(text)
  }
  return row
}

function metricRow({ cells, decides }) {
  const row = document.createElement('tr')
  row.classList.toggle('best', decides)
  for (const text of cells) row.insertCell().textContent = text
  return row
}

/** Says what the band is, or that it is too thin to be seen. */
function showBand(section, data, n) {
  const distances = data.distances[n]
  const widest = Math.max(...data.standardErrors[n].map((error) => 2 * BAND * (error ?? 0)))
  const range = Math.max(...distances) - Math.min(...distances)
  const words =
    widest === 0
      ? ''
      : widest < range / 150
        ? '± 1.96 standard errors: within the line'
        : 'band: ± 1.96 standard errors'
  section.querySelector('.band').textContent = words
}

/** Describes the block of the curve that is nearest to the pointer. */
function followCurve(box, data, sizeOf) {
  const tip = box.parentElement.querySelector('.tip')
  const clear = () => {
    tip.hidden = true
    box.querySelector('.near')?.remove()
  }
  box.addEventListener('pointerleave', clear)
  box.addEventListener('pointermove', (event) => {
    const svg = box.querySelector('svg')
    if (!svg) return
    const { left } = svg.getBoundingClientRect()
    const dots = [...svg.querySelectorAll('.dot')]
    const gap = (dot) => Math.abs(Number(dot.getAttribute('cx')) - (event.clientX - left))
    const start = dots.reduce((best, dot, index) => (gap(dot) < gap(dots[best]) ? index : best), 0)
    clear()
    const [cx, cy] = [dots[start].getAttribute('cx'), dots[start].getAttribute('cy')]
    svg.append(element('circle', { class: 'near', cx, cy, r: 7 }))
    showTip(tip, svg, Number(cx), Number(cy), describeBlock(data, sizeOf(), start))
  })
}

/** Puts a tip beside a place in a picture, on the side that has room. */
function showTip(tip, svg, x, y, text) {
  tip.textContent = text
  tip.hidden = false
  const figure = tip.offsetParent.getBoundingClientRect()
  const box = svg.getBoundingClientRect()
  const [left, top] = [box.left - figure.left + x, box.top - figure.top + y]
  const place = left + 14 + tip.offsetWidth > figure.width ? left - 14 - tip.offsetWidth : left + 14
  tip.style.left = `${Math.max(0, place)}px`
  tip.style.top = `${Math.max(0, top - tip.offsetHeight - 8)}px`
}

function drawCurve(box, data, n) {
  const distances = data.distances[n]
  const errors = data.standardErrors[n].map((error) => BAND * (error ?? 0))
  const { clientWidth: width, clientHeight: height } = box
  if (width === 0) return
  const frame = { left: 52, right: width - 12, top: 12, bottom: height - 44 }
  const low = Math.min(...distances.map((distance, i) => distance - errors[i]))
  const high = Math.max(...distances.map((distance, i) => distance + errors[i]))
  const step = tickStep((high - low) / 5 || 0.002)
  const [from, to] = [step * Math.floor(Math.max(0, low - step / 2) / step), step * Math.ceil(high / step)]
  const y = (value) => frame.bottom - ((value - from) / (to - from)) * (frame.bottom - frame.top)
  const across = distances.length - 1
  const x = (start) =>
    across === 0 ? (frame.left + frame.right) / 2 : frame.left + 10 + (start / across) * (frame.right - frame.left - 20)
  const svg = element('svg', { viewBox: `0 0 ${width} ${height}`, role: 'img' })
  const best = data.verdicts[n - 1]
  svg.append(element('title', {}, `Distance of ${distances.length} blocks by first layer; ${nameLayers(best)} marked`))
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9))
  for (let i = 0; from + i * step <= to + step / 2; i++) {
    const at = y(from + i * step)
    svg.append(
      element('line', { class: 'grid', x1: frame.left, x2: frame.right, y1: at, y2: at }),
      element(
        'text',
        { class: 'axis', x: frame.left - 8, y: at + 4, 'text-anchor': 'end' },
        (from + i * step).toFixed(decimals),
      ),
    )
  }
  const every = Math.max(1, Math.ceil(tickStep(((across || 1) * 30) / (frame.right - frame.left))))
  for (let start = 0; start <= across; start += every) {
    svg.append(
      element('text', { class: 'axis', x: x(start), y: frame.bottom + 18, 'text-anchor': 'middle' }, String(start)),
    )
  }
  svg.append(
    element(
      'text',
      { class: 'axis', x: (frame.left + frame.right) / 2, y: height - 6, 'text-anchor': 'middle' },
      n === 1 ? 'layer removed, 0-based' : `first of the ${n} layers removed, 0-based`,
    ),
  )
  const point = (start, value) => `${x(start).toFixed(1)},${y(value).toFixed(1)}`
  const upper = distances.map((distance, start) => point(start, distance + errors[start]))
  const lower = distances.map((distance, start) => point(start, Math.max(0, distance - errors[start])))
  svg.append(element('polygon', { class: 'area', points: [...upper, ...lower.reverse()].join(' ') }))
  svg.append(element('polyline', { class: 'line', points: distances.map((d, start) => point(start, d)).join(' ') }))
  for (const [start, distance] of distances.entries()) {
    const dot = element('circle', { class: 'dot', cx: x(start), cy: y(distance), r: across > 60 ? 2 : 3.5 })
    dot.append(element('title', {}, describeBlock(data, n, start)))
    svg.append(dot)
  }
  const [left, top] = [x(best.start), y(distances[best.start])]
  const [anchor, shift] = left < width * 0.3 ? ['start', 12] : left > width * 0.7 ? ['end', -12] : ['middle', 0]
  const nameBase = Math.min(top + 26, frame.bottom - 6)
  // the rule leaves the name that stands in its way readable
  const ruleTop = shift === 0 ? Math.min(nameBase + 6, frame.bottom) : top
  svg.append(
    element('line', { class: 'rule', x1: left, x2: left, y1: ruleTop, y2: frame.bottom }),
    element('circle', { class: 'chosen', cx: left, cy: top, r: 7, 'data-start': best.start }),
    element(
      'text',
      { class: 'name', x: left + shift, y: nameBase, 'text-anchor': anchor },
      `${nameLayers(best)}: ${formatDistance(distances[best.start])}`,
    ),
  )
  box.replaceChildren(svg)
}

/** The smallest of 1, 2, 5 times a power of ten that is at least `least`. */
function tickStep(least) {
  const power = 10 ** Math.floor(Math.log10(least))
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least * (1 - 1e-9))
}

function startMap(map, section, data, show) {
  const frame = JSON.parse(map.dataset.frame)
  const svg = map.querySelector('svg')
  const readout = section.querySelector('.readout')
  const probe = element('rect', {
    class: 'probe',
    width: frame.cellWidth,
    height: frame.cellHeight,
    visibility: 'hidden',
  })
  svg.append(probe)
  let at = null
  const move = (cell) => {
    at = cell
    probe.setAttribute('visibility', cell === null ? 'hidden' : 'visible')
    if (cell === null) {
      readout.hidden = true
      return
    }
    const scale = svg.getBoundingClientRect().width / frame.width
    const x = scale * (frame.left + (cell.start + 0.5) * frame.cellWidth)
    const y = scale * (frame.bottom - cell.n * frame.cellHeight)
    showTip(readout, svg, x, y, describeBlock(data, cell.n, cell.start))
    probe.setAttribute('x', frame.left + cell.start * frame.cellWidth)
    probe.setAttribute('y', frame.bottom - cell.n * frame.cellHeight)
  }
  map.addEventListener('pointermove', (event) => move(cellAt(event, svg, frame, data.layers)))
  map.addEventListener('pointerleave', () => move(null))
  map.addEventListener('click', (event) => {
    const cell = cellAt(event, svg, frame, data.layers)
    if (cell !== null) show(cell.n)
  })
  map.addEventListener('blur', () => move(null))
  map.addEventListener('keydown', (event) => {
    const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [1, 0], ArrowDown: [-1, 0] }
    const size = Number(section.querySelector('input[type=range]').value)
    const from = at ?? { n: size, start: data.verdicts[size - 1].start }
    if (event.key === 'Enter') show(from.n)
    const step = moves[event.key]
    if (step === undefined) return
    event.preventDefault()
    const n = Math.max(1, Math.min(data.layers - 1, from.n + step[0]))
    move({ n, start: Math.max(0, Math.min(data.layers - n, from.start + step[1])) })
  })
}

function cellAt(event, svg, frame, layers) {
  const box = svg.getBoundingClientRect()
  const scale = frame.width / box.width
  const start = Math.floor(((event.clientX - box.left) * scale - frame.left) / frame.cellWidth)
  const n = Math.ceil((frame.bottom - (event.clientY - box.top) * scale) / frame.cellHeight)
  return n >= 1 && n < layers && start >= 0 && start <= layers - n ? { n, start } : null
}

function moveChosen(map, { start, end }) {
  const frame = JSON.parse(map.dataset.frame)
  const x = frame.left + start * frame.cellWidth - 1.5
  const y = frame.bottom - (end - start) * frame.cellHeight - 1.5
  map.querySelector('.lp-chosen').setAttribute('transform', `translate(${x} ${y})`)
}

async function copyText(button) {
  const pre = button.closest('.copied').querySelector('pre')
  const label = button.textContent
  try {
    await navigator.clipboard.writeText(pre.textContent)
    button.textContent = 'Copied'
  } catch {
    // a page from disk may be denied the clipboard: the text is then selected, to be copied by keyboard
    getSelection().selectAllChildren(pre)
    button.textContent = document.execCommand('copy') ? 'Copied' : 'Selected: press Ctrl+C'
  }
  setTimeout(() => {
    button.textContent = label
  }, 2000)
}

function describeBlock(data, n, start) {
  const error = data.standardErrors[n][start]
  const estimate = `${formatDistance(data.distances[n][start])}${error === null ? '' : ` ± ${formatDistance(error)}`}`
  return `${nameLayers({ start, end: start + n })} (${n} of ${data.layers}): ${estimate}`
}

function nameLayers({ start, end }) {
  return end - start === 1 ? `layer ${start}` : `layers ${start}..${end - 1}`
}

function formatDistance(distance) {
  if (distance >= 10) return distance < 1e5 ? distance.toPrecision(5) : distance.toExponential(3)
  const text = distance.toFixed(4)
  return distance > 0 && Number(text) === 0 ? '<0.0001' : text
}

function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, String(value))
  if (text !== undefined) made.textContent = text
  return made
}

const STYLES = [
  ...['fill', 'fill-opacity', 'stroke', 'stroke-width', 'stroke-dasharray', 'stroke-opacity', 'stroke-linejoin'],
  ...['paint-order', 'font-family', 'font-size', 'font-weight', 'text-anchor'],
]

/** The picture of a figure that is shown, by itself: with the styles that the page gives it, on its paper. */
function takePicture(figure) {
  const shown = [...figure.querySelectorAll('svg')].find((svg) => svg.getBoundingClientRect().width > 0)
  const copy = shown.cloneNode(true)
  for (const mark of copy.querySelectorAll('.probe, .near')) mark.remove()
  const originals = [...shown.querySelectorAll('*')].filter((part) => !part.matches('.probe, .near'))
  for (const [index, part] of [...copy.querySelectorAll('*')].entries()) {
    const style = getComputedStyle(originals[index])
    for (const name of STYLES) part.style.setProperty(name, style.getPropertyValue(name))
  }
  for (const rules of copy.querySelectorAll('style')) rules.remove()
  const [, , width, height] = shown.getAttribute('viewBox').split(' ').map(Number)
  const paper = element('rect', { width, height, fill: getComputedStyle(document.body).backgroundColor })
  copy.prepend(paper)
  for (const [name, value] of Object.entries({ xmlns: SVG, width, height })) copy.setAttribute(name, value)
  return { svg: new XMLSerializer().serializeToString(copy), width, height }
}

async function savePicture(figure, kind) {
  const { svg, width, height } = takePicture(figure)
  const source = new Blob([svg], { type: 'image/svg+xml' })
  save(kind === 'svg' ? source : await toPng(svg, width, height), `${figure.dataset.name}.${kind}`)
}

/** Twice as many pixels as the picture has. */
async function toPng(svg, width, height) {
  const image = new Image()
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(svg)}`
  await image.decode()
  const canvas = document.createElement('canvas')
  canvas.width = 2 * width
  canvas.height = 2 * height
  canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height)
  return new Promise((resolve) => canvas.toBlob(resolve, 'image/png'))
}

function save(blob, name) {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}
