// Loaded into Omniboard by `node --require`. Its table of runs shows numbers with all their digits, which run out of
// their cells. The table gets four digits; the store, and with it sorting, filters and curves, keeps all of them.
'use strict';

const http = require('http');

const short = (value) => (Math.abs(value) < 1000 ? Number(value.toPrecision(4)) : Math.round(value));

function shorten(runs) {
  for (const run of Array.isArray(runs) ? runs : []) {
    for (const key of run instanceof Object ? Object.keys(run) : []) {
      if (typeof run[key] === 'number') run[key] = short(run[key]);
    }
  }
  return runs;
}

const emit = http.Server.prototype.emit;
http.Server.prototype.emit = function (event, request, response) {
  if (event === 'request' && request.url.split('?')[0].endsWith('/api/v1/Runs')) {
    response.json = function (body) {
      delete response.json; // what was below is Express's own
      return response.json(shorten(body));
    };
  }
  return emit.apply(this, arguments);
};
