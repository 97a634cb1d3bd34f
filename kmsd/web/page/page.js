// The page of kmsd-web: asks /api/state every ten seconds and draws what it says. The same script draws the charts of
// `kmsctl report usage --html`, from the tables of that file. All text goes through textContent: names come from the network.
'use strict';
const EVERY = 10000;
const SEARCHES = 20; // that one press of a button may make: each looks at 1000 clients at most
const byId = (id) => document.getElementById(id);

function element(name, text, className) {
  const e = document.createElement(name);
  if (text !== undefined && text !== null) e.textContent = text;
  if (className) e.className = className;
  return e;
}

// What is the same already stays: it may be selected, scrolled or read aloud.
function say(id, text) {
  if (byId(id).textContent !== text) byId(id).textContent = text;
}

function fill(id, none, ...parts) {
  const fresh = parts.length ? parts : [element('p', none, 'quiet')];
  const old = [...byId(id).childNodes];
  if (old.length !== fresh.length || fresh.some((e, i) => !e.isEqualNode(old[i]))) byId(id).replaceChildren(...fresh);
}

// A time with its zone.
function time(seconds) {
  return seconds ? new Date(seconds * 1000).toISOString().replace('T', ' ').replace(/:\d\d\.\d+Z/, 'Z') : '';
}
const date = (seconds) => time(seconds).slice(0, 10);

// columns: [title, function of a row, is it a number?]
function table(caption, columns, rows) {
  const box = element('div', null, 'table');
  box.tabIndex = 0; // it may have to be scrolled, by keyboard too
  box.setAttribute('role', 'region');
  box.setAttribute('aria-label', caption);
  const t = element('table');
  t.append(element('caption', caption));
  const head = element('tr');
  for (const [title, , n] of columns) {
    const th = element('th', title, n ? 'n' : '');
    th.scope = 'col';
    head.append(th);
  }
  const thead = element('thead');
  thead.append(head);
  const body = element('tbody');
  for (const row of rows) {
    const tr = element('tr');
    for (const [, value, n] of columns) tr.append(element('td', value(row), n ? 'n' : ''));
    body.append(tr);
  }
  t.append(thead, body);
  box.append(t);
  return box;
}

function some(caption, columns, rows) {
  return rows.length ? [table(caption, columns, rows)] : [];
}

// -- charts --

function svg(name, attributes) {
  const e = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  return e;
}

// How many are counted, of how many that may be; a line where the products of the pool are activated.
function bar(counted, threshold, capacity) {
  const most = Math.max(capacity || 0, threshold, counted, 1);
  const level = capacity && counted >= capacity ? ' bad' : capacity && counted >= 0.9 * capacity ? ' warning' : '';
  const e = svg('svg', { viewBox: '0 0 100 10', preserveAspectRatio: 'none', role: 'img',
    'aria-label': counted + ' counted, ' + threshold + ' needed' + (capacity ? ', at most ' + capacity : '') });
  e.append(svg('rect', { class: 'rail', x: 0, y: 2, width: 100, height: 6 }));
  e.append(svg('rect', { class: 'fill' + level, x: 0, y: 2, width: 100 * counted / most, height: 6 }));
  if (threshold) e.append(svg('line', { class: 'needed', x1: 100 * threshold / most, x2: 100 * threshold / most, y1: 0, y2: 10, 'vector-effect': 'non-scaling-stroke' }));
  return e;
}

// 7 becomes 10, 23 becomes 50: the height of the axis.
function roundUp(n) {
  const power = 10 ** Math.max(0, Math.ceil(Math.log10(n)) - 1);
  return [1, 2, 5, 10].map((x) => x * power).find((x) => x >= n) || n;
}

// A bar for the highest count of each period, and lines at the threshold and the capacity (0: there is none). periods: { name, peak }
function chart(unit, periods, threshold, capacity) {
  const peak = Math.max(...periods.map((p) => p.peak));
  const most = roundUp(Math.max(threshold, capacity, peak, 1));
  const last = periods.length - 1;
  const lines = [['needed', threshold], ['capacity', capacity]].filter(([, n]) => n);
  // A few wide bars would look like one.
  const width = Math.max(periods.length, 20);
  const e = svg('svg', { viewBox: '0 0 ' + width + ' 100', preserveAspectRatio: 'none', role: 'img', 'aria-label': 'Highest count of each ' + unit + ', ' +
    periods[0].name + ' to ' + periods[last].name + ': at most ' + peak + ', at the end ' + periods[last].peak + lines.map(([name, n]) => ', ' + name + ' ' + n).join('') });
  periods.forEach((p, i) => {
    const height = 100 * p.peak / most;
    const r = svg('rect', { class: 'fill', x: i + 0.05, y: 100 - height, width: 0.9, height: height });
    r.append(svg('title', {}));
    r.firstChild.textContent = p.name + ': ' + p.peak;
    r.dataset.period = p.name;
    r.dataset.peak = p.peak;
    e.append(r);
  });
  const legend = element('figcaption', 'Highest count of each ' + unit);
  for (const [name, n] of lines) {
    e.append(svg('line', { class: name, x1: 0, x2: width, y1: 100 - 100 * n / most, y2: 100 - 100 * n / most, 'vector-effect': 'non-scaling-stroke' }));
    legend.append(element('span', name + ' ' + n, name));
  }
  const figure = element('figure', null, 'chart');
  const scale = element('div', null, 'scale');
  scale.append(element('span', most), element('span', 0));
  const ends = element('div', null, 'ends');
  ends.append(element('span', periods[0].name), element('span', last ? periods[last].name : ''));
  figure.append(scale, e, ends, legend);
  return figure;
}

// -- the page --

function pool(p, s) {
  const mine = s.products.filter((x) => x.publisher === p.publisher && x.pool === p.name);
  const threshold = Math.max(0, ...mine.filter((x) => x.covered).map((x) => x.required));
  const card = element('div', null, 'card');
  card.append(element('h3', p.publisher + ': ' + p.name));
  const number = element('p', null, 'quiet');
  number.append(element('span', p.counted, 'number'), ' counted');
  card.append(number, bar(p.counted, threshold, p.capacity));
  card.append(element('p', 'needed ' + threshold + ', ' + (p.capacity ? 'at most ' + p.capacity : 'no limit'), 'quiet'));
  const id = (s.publishers.find((x) => x.name === p.publisher) || {}).id;
  const days = s.usage.filter((u) => u.publisher === id && u.pool === p.number && u.status === 0);
  if (days.length) card.append(chart('day', days.map((d) => ({ name: date(d.day), peak: d.peak })), threshold, p.capacity || 0));
  if (p.over) card.append(element('p', p.over + ' beyond the capacity, of ' + p.overdraft + ' that the publisher allows', 'quiet'));
  if (p.borrowed) card.append(element('p', p.borrowed + ' borrowed', 'quiet'));
  for (const c of s.classes.filter((x) => x.publisher === p.publisher && x.pool === p.name))
    card.append(element('p', 'class ' + c.name + ': ' + c.counted + (c.limit ? ' of ' + c.limit : '') + (c.reserve ? ', ' + c.reserve + ' kept for it' : ''), 'quiet'));
  for (const x of mine)
    card.append(element('p', x.name + ': ' + (!x.covered ? 'not covered' : p.counted >= x.required ? 'activated' : (x.required - p.counted) + ' more needed'), 'quiet'));
  return card;
}

function drawProblems(s) {
  const worst = s.problems.some((p) => p.level === 'bad') ? 'bad' : s.problems.length ? 'warning' : 'good';
  say('host', s.service.host_name);
  document.title = (worst === 'good' ? '' : '(' + s.problems.length + ') ') + s.service.host_name;
  say('verdict', worst === 'good' ? 'All is well' : worst === 'bad' ? 'Clients cannot be served as they should' : 'Clients are served, but look at the problems');
  byId('verdict').className = worst;
  say('age', 'asked ' + time(Date.now() / 1000));
  fill('problem-list', '', ...(s.problems.length ? s.problems.map((p) => {
    const li = element('li', (p.level === 'bad' ? 'Bad: ' : 'Warning: ') + p.text, p.level);
    li.append(element('span', p.remedy));
    return li;
  }) : [element('li', 'Nothing', 'good')]));
}

function drawAnswers(s) {
  fill('answer-list', 'No client has asked yet.', ...some('refusals', [['Refusal', (r) => r.meaning], ['Clients told', (r) => r.count, true],
    ['What to do', (r) => r.remedy]], s.answers.filter((r) => r.refusal)),
  ...some('other answers', [['Answer', (r) => r.meaning], ['Clients told', (r) => r.count, true]], s.answers.filter((r) => !r.refusal)),
  ...some('limits of kms.ini that refused requests', [['Limit', (r) => r.name], ['Requests refused', (r) => r.refused, true], ['Last', (r) => time(r.last)]], s.limits));
}

function drawKeys(s) {
  fill('publisher-list', 'kms.ini names no publisher.', ...some('publishers', [['Publisher', (r) => r.name],
    ['This host', (r) => r.revoked ? 'revoked: ' + r.revoked : !r.installed ? 'no host key' : r.confirmed ? 'confirmed' : 'not confirmed'],
    ['From', (r) => time(r.not_before)], ['Until', (r) => time(r.not_after)], ['Revocation list', (r) => r.revocations || '', true]], s.publishers));
  fill('key-list', 'No host key is installed.', ...some('host keys', [['Publisher', (r) => r.publisher], ['Group', (r) => r.group], ['Licence', (r) => r.license],
    ['Issued', (r) => time(r.issued)], ['From', (r) => time(r.not_before)], ['Until', (r) => time(r.not_after)], ['Capacity', (r) => r.capacity || 'no limit', true]], s.keys));
  fill('pack-list', 'No pack is installed.', ...some('policy packs', [['Publisher', (r) => r.publisher], ['Pack', (r) => r.title], ['Version', (r) => r.version],
    ['Issued', (r) => time(r.issued)]], s.packs));
}

function drawHost(s) {
  fill('service-list', '', table('this host', [['Name', (r) => r.host_name], ['Host id', (r) => r.host_id], ['Port', (r) => r.port, true], ['kmsd', (r) => r.version],
    ['Started', (r) => time(r.started)], ['Host identity', (r) => r.locked ? 'locked' : r.key_sealed === 'no' ? 'not sealed' : 'sealed: ' + r.key_sealed],
    ['Requests', (r) => r.requests, true]], [s.service]));
  fill('front-list', '', table('network processes', [['Front', (r) => r.number], ['Ready', (r) => r.ready ? 'yes' : 'no'],
    ['Connections', (r) => r.open, true], ['Requests', (r) => r.requests, true], ['Refused connections', (r) => r.refused_connections, true]], s.fronts));
  fill('sandbox-list', '', table('sandbox', [['Process', (r) => r.process], ['In force', (r) => r.layers], ['Missing', (r) => r.missing || 'nothing']], s.sandbox));
  fill('ledger-list', '', table('ledger', [['Clients known', (r) => r.clients, true], ['Newest batch', (r) => r.last_batch, true],
    ['Journal, bytes', (r) => r.journal_octets, true], ['Index, bytes', (r) => r.index_octets, true], ['Written', (r) => r.failing_since ? 'not since ' + time(r.failing_since) : 'yes']], [s.ledger]));
  const r = s.relay;
  fill('relay-list', 'No relay is set up.', ...(r && r.configured ? [table('all exchanges', [['Answered', (x) => x.answered, true], ['Faults', (x) => x.faults, true],
    ['Lost', (x) => x.lost, true], ['Late', (x) => x.late, true], ['No host', (x) => x.no_host, true], ['Refused', (x) => x.refused, true]], [r]),
    table('KMS hosts', [['Host', (x) => x.name], ['Address', (x) => x.address], ['Answered', (x) => x.answered, true], ['Lost', (x) => x.lost, true],
      ['Last', (x) => time(x.last)]], s.relay_hosts)] : []));
}

function draw(s) {
  drawProblems(s);
  fill('pool-list', 'No pack is installed.', ...s.pools.map((p) => pool(p, s)));
  drawAnswers(s);
  drawKeys(s);
  drawHost(s);
}

async function refresh() {
  try {
    const r = await fetch('/api/state', { cache: 'no-store' });
    if (!r.ok) throw new Error(await r.text());
    draw(await r.json());
    document.body.dataset.drawn = String(Date.now());
  } catch (e) {
    say('verdict', 'No answer: ' + (e.message.trim() || 'the host cannot be reached'));
    byId('verdict').className = 'bad';
  }
}

let next = null;
let found = [];

// One page of clients; null: it was refused, and that is said.
async function page(from) {
  const query = new URLSearchParams();
  if (byId('pattern').value) query.set('q', byId('pattern').value);
  if (from) query.set('from', from);
  const r = await fetch('/api/clients?' + query, { cache: 'no-store' });
  byId('login').hidden = r.status !== 401;
  byId('search').hidden = r.status === 401;
  if (r.ok) return r.json();
  say('search-state', r.status === 401 ? '' : await r.text());
  return null;
}

async function search(more) {
  if (!more) {
    found = [];
    next = null;
  }
  // Where nothing is found among 1000, the next 1000 are looked at.
  for (let i = 0, before = found.length; i < SEARCHES && (i === 0 || (next && found.length === before)); i++) {
    const got = await page(next);
    if (!got) return;
    next = got.next;
    found = found.concat(got.clients);
  }
  byId('more').hidden = !next;
  say('search-state', found.length + ' found' + (next ? ', and there may be more' : ''));
  fill('client-list', 'No client.', ...some('clients', [['Name', (c) => c.name], ['Address', (c) => c.address], ['Product', (c) => c.product_name || ''],
    ['State', (c) => c.state], ['Counted', (c) => c.counted ? 'yes' : 'no'], ['Last seen', (c) => time(c.last_seen)], ['Until', (c) => time(c.expires)],
    ['Refused', (c) => c.refused || '']], found));
}

function watch() {
  byId('search').addEventListener('submit', (e) => { e.preventDefault(); search(false); });
  byId('more').addEventListener('click', () => search(true));
  refresh();
  search(false);
  setInterval(() => { if (!document.hidden) refresh(); }, EVERY);
}

// -- a report: each table says what its chart shows --

function drawReport(t) {
  const periods = [...t.tBodies[0].rows].map((r) => ({ name: r.cells[0].textContent, peak: Number(r.cells[1].textContent) }));
  if (periods.length) t.before(chart(t.dataset.unit, periods, 0, Number(t.dataset.capacity)));
}

if (document.body.className === 'report') document.querySelectorAll('table[data-unit]').forEach(drawReport);
else watch();
