// A flash sale against a running Stampede, with k6: makes a sale, ramps up, then the crowd comes all at
// once, some of it asking again with the same key; thresholds judge. flash-sale.sh is the same with wrk.
//
//   set -a; . .stampede/env; set +a; k6 run deploy/load/flash-sale.js
//
// Written for k6 0.45 (go install go.k6.io/k6@v0.45.1).
//     STAMPEDE_BASE_URL (http://127.0.0.1:8080), STAMPEDE_ADMIN_TOKEN
//     STOCK (20000)    units: choose fewer than will be asked for, so that it sells out
//     RATE (1000)      placements a second of the spike
//     SECONDS (20)     of the spike; the ramp takes as long
//     P99_MS (1000)    the slowest that the 99th percentile may be
import http from 'k6/http';
import exec from 'k6/execution';
import { check, fail } from 'k6';
import { Counter, Rate } from 'k6/metrics';

const base = __ENV.STAMPEDE_BASE_URL || 'http://127.0.0.1:8080';
const stock = Number(__ENV.STOCK || 20000);
const rate = Number(__ENV.RATE || 1000);
const seconds = Number(__ENV.SECONDS || 20);
const retried = 0.1; // of what was placed
const run = `k6-${Date.now()}`;

const placed = new Counter('orders_placed');
const soldOut = new Counter('orders_sold_out');
const unexpected = new Rate('answers_unexpected');
const retriesRight = new Rate('retries_right');

// A refusal is an answer: only what no shop expects counts as failed.
http.setResponseCallback(http.expectedStatuses(200, 201, 409));

export const options = {
  discardResponseBodies: false,
  scenarios: {
    ramp: {
      executor: 'ramping-arrival-rate',
      startRate: Math.max(1, Math.round(rate / 20)),
      timeUnit: '1s',
      preAllocatedVUs: 50,
      maxVUs: 500,
      stages: [{ target: Math.round(rate / 2), duration: `${seconds}s` }],
    },
    spike: {
      executor: 'constant-arrival-rate',
      startTime: `${seconds}s`,
      rate: rate,
      timeUnit: '1s',
      duration: `${seconds}s`,
      preAllocatedVUs: 200,
      maxVUs: 1000,
    },
  },
  thresholds: {
    http_req_failed: ['rate==0'],
    'http_req_duration{kind:placement}': [`p(99)<${Number(__ENV.P99_MS || 1000)}`],
    answers_unexpected: ['rate==0'],
    retries_right: ['rate==1'],
    checks: ['rate==1'],
    orders_placed: ['count>0'],
  },
};

function headers(key, more) {
  return Object.assign({ 'Content-Type': 'application/json', 'Idempotency-Key': key }, more);
}

export function setup() {
  const sale = {
    sku: 'load', title: 'Flash sale', unitPrice: { currencyCode: 'EUR', amountMinor: '100' },
    endTime: '2099-01-01T00:00:00Z', stockTotal: stock,
  };
  const answer = http.post(`${base}/v1/sales`, JSON.stringify(sale), {
    headers: headers(run, { Authorization: `Bearer ${__ENV.STAMPEDE_ADMIN_TOKEN}` }),
  });
  if (answer.status !== 201) {
    fail(`the sale could not be made: ${answer.status} ${answer.body}`);
  }
  return { sale: answer.json('saleId'), run };
}

function place(sale, key) {
  return http.post(`${base}/v1/sales/${sale}/orders`, JSON.stringify({ customerId: key, quantity: 1 }), {
    headers: headers(key),
    tags: { kind: 'placement', name: 'POST orders' },
  });
}

export default function ({ sale, run: name }) {
  const key = `${name}-${exec.scenario.name}-${exec.scenario.iterationInTest}`;
  const first = place(sale, key);
  unexpected.add(!(first.status === 201 || (first.status === 409 && first.json('reason') === 'SOLD_OUT')));
  if (first.status !== 201) {
    soldOut.add(1);
    return;
  }
  placed.add(1);
  if (Math.random() < retried) {
    // As a shop does that lost the answer: the same key is the same order, also when all is sold.
    const again = place(sale, key);
    retriesRight.add(
      again.status === 201 && again.json('orderId') === first.json('orderId') &&
        again.headers['Idempotent-Replayed'] === 'true');
  }
}

export function teardown({ sale }) {
  const answer = http.get(`${base}/v1/sales/${sale}`);
  const now = answer.json();
  check(now, {
    'the sale can be read': () => answer.status === 200,
    'no unit too many': (s) => s.stockRemaining >= 0 && s.stockTotal === stock,
  });
  console.log(`sold ${stock - now.stockRemaining} of ${stock}, the sale is ${now.state}`);
}
