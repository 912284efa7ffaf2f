/** One rule of the documentation: which texts of a record's value a pattern lets through, and which it drops. */
export type FilterCase = {rule: string; pattern: string; passes: string[]; drops: string[]}

const LAMBDA = 'docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html'
const KAFKA = 'docs.aws.amazon.com/lambda/latest/dg/kafka-filtering.html'
const EVENTBRIDGE = 'docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html'
const ARRAYS = 'docs.aws.amazon.com/eventbridge/latest/userguide/eb-event-patterns-arrays.html'
const RULER = 'github.com/aws/event-ruler, README'

/** Read from the pages, not from our code, on 2026-11-20: `rule` is what the page says. */
export const filterCases: Record<string, FilterCase[]> = {
  [KAFKA]: [
    {
      rule: 'the example for JSON: device_ID begins with AB',
      pattern: '{ "value" : { "device_ID" : [ { "prefix": "AB" } ] } }',
      passes: [
        '{"device_ID":"AB1234","session":{"start_time":"yyyy-mm-ddThh:mm:ss","duration":162}}',
        '{"device_ID":"AB"}',
        ' \n\t{"device_ID" : "ABC"}',
      ],
      drops: ['{"device_ID":"XAB"}', '{"device_ID":"ab1234"}', '{"session":{"duration":162}}', '{"device_ID":""}', '{}'],
    },
    {
      rule: 'the example for plain strings: ignore "error"',
      pattern: '{ "value" : [ { "anything-but": [ "error" ] } ] }',
      passes: ['ok', 'Error', 'errors', ' error', '', '12', 'null', '"error"'],
      drops: ['error'],
    },
    {
      rule: 'plain string, filter pattern for plain strings: filters',
      pattern: '{"value":["Hello, this is a test.","12"]}',
      passes: ['Hello, this is a test.', '12'],
      drops: ['hello, this is a test.', '"12"', '12.0', ''],
    },
    {
      rule: 'plain string, JSON pattern: drops',
      pattern: '{"value":{"a":["b"]}}',
      passes: ['{"a":"b"}'],
      drops: ['a', 'b', '"a"', '{"a":"b"', '{"a":"b"} trailing', "{'a':'b'}", 'null', '7', ''],
    },
    {
      rule: 'plain string, JSON pattern that asks for a missing field: drops',
      pattern: '{"value":{"a":[{"exists":false}]}}',
      passes: ['{}', '{"b":1}'],
      drops: ['plain', ''],
    },
    {
      rule: 'valid JSON, pattern for plain strings: drops',
      pattern: '{"value":[{"exists":true}]}',
      passes: ['plain', '', '{broken'],
      drops: ['{"a":1}', '["a"]', '{}', '[]'],
    },
    {
      rule: 'prefix of a plain string',
      pattern: '{"value":[{"prefix":"ERR"}]}',
      passes: ['ERR', 'ERROR 12'],
      drops: ['err', 'WARN ERR', '{"a":"ERR"}'],
    },
  ],
  [LAMBDA]: [
    {
      rule: 'Null: "UserID": [ null ]',
      pattern: '{"value":{"UserID":[null]}}',
      passes: ['{"UserID":null}', '{"UserID":[1,null]}'],
      drops: ['{"UserID":"null"}', '{"UserID":""}', '{"UserID":0}', '{"UserID":false}', '{}', '{"UserID":{}}'],
    },
    {
      rule: 'Empty: "LastName": [""]',
      pattern: '{"value":{"LastName":[""]}}',
      passes: ['{"LastName":""}'],
      drops: ['{"LastName":" "}', '{"LastName":null}', '{}', '{"LastName":[]}'],
    },
    {
      rule: 'Equals: "Name": [ "Alice" ]',
      pattern: '{"value":{"Name":["Alice"]}}',
      passes: ['{"Name":"Alice"}', '{"Name":"\\u0041lice"}'],
      drops: ['{"Name":"alice"}', '{"Name":"Alice "}', '{"name":"Alice"}', '{"Name":{"Alice":1}}', '{"Other":"Alice"}'],
    },
    {
      rule: 'exact, character by character, without normalization',
      pattern: '{"value":{"Name":["caf\u00e9"]}}',
      passes: ['{"Name":"caf\u00e9"}'],
      drops: ['{"Name":"cafe\u0301"}', '{"Name":"CAF\u00c9"}'],
    },
    {
      rule: 'Equals (ignore case)',
      pattern: '{"value":{"Name":[{"equals-ignore-case":"alice"}]}}',
      passes: ['{"Name":"alice"}', '{"Name":"Alice"}', '{"Name":"ALICE"}'],
      drops: ['{"Name":"alic"}', '{"Name":"alicee"}', '{"Name":null}', '{}'],
    },
    {
      rule: 'And',
      pattern: '{"value":{"Location":["New York"],"Day":["Monday"]}}',
      passes: ['{"Location":"New York","Day":"Monday","Other":1}'],
      drops: ['{"Location":"New York","Day":"Tuesday"}', '{"Location":"Boston","Day":"Monday"}', '{"Location":"New York"}'],
    },
    {
      rule: 'Or: "PaymentType": [ "Credit", "Debit" ]',
      pattern: '{"value":{"PaymentType":["Credit","Debit"]}}',
      passes: ['{"PaymentType":"Credit"}', '{"PaymentType":"Debit"}'],
      drops: ['{"PaymentType":"Cash"}', '{"PaymentType":"CreditDebit"}'],
    },
    {
      rule: 'Or (multiple fields)',
      pattern: '{"value":{"$or":[{"Location":["New York"]},{"Day":["Monday"]}]}}',
      passes: ['{"Location":"New York","Day":"Friday"}', '{"Location":"Rome","Day":"Monday"}', '{"Day":"Monday"}'],
      drops: ['{"Location":"Rome","Day":"Friday"}', '{}'],
    },
    {
      rule: 'Not: "Weather": [ { "anything-but": [ "Raining" ] } ]',
      pattern: '{"value":{"Weather":[{"anything-but":["Raining"]}]}}',
      passes: ['{"Weather":"Sunny"}', '{"Weather":"raining"}', '{"Weather":""}', '{"Weather":null}', '{"Weather":5}'],
      drops: ['{"Weather":"Raining"}', '{}'],
    },
    {
      rule: 'Numeric (equals)',
      pattern: '{"value":{"Price":[{"numeric":["=",100]}]}}',
      passes: ['{"Price":100}', '{"Price":100.0}', '{"Price":1e2}'],
      drops: ['{"Price":100.5}', '{"Price":"100"}', '{"Price":-100}', '{}'],
    },
    {
      rule: 'Numeric (range)',
      pattern: '{"value":{"Price":[{"numeric":[">",10,"<=",20]}]}}',
      passes: ['{"Price":10.01}', '{"Price":15}', '{"Price":20}'],
      drops: ['{"Price":10}', '{"Price":20.1}', '{"Price":-15}', '{"Price":"15"}', '{"Price":null}', '{"Price":true}'],
    },
    {
      rule: 'Exists',
      pattern: '{"value":{"ProductName":[{"exists":true}]}}',
      passes: ['{"ProductName":"x"}', '{"ProductName":""}', '{"ProductName":null}', '{"ProductName":0}', '{"ProductName":false}'],
      drops: ['{}', '{"productname":"x"}'],
    },
    {
      rule: 'Does not exist',
      pattern: '{"value":{"ProductName":[{"exists":false}]}}',
      passes: ['{}', '{"Other":1}'],
      drops: ['{"ProductName":"x"}', '{"ProductName":null}', '{"ProductName":""}'],
    },
    {
      rule: 'Exists works on leaf nodes only, the page’s example',
      pattern: '{"value":{"person":{"address":[{"exists":true}]}}}',
      passes: ['{"person":{"address":"x"}}'],
      drops: ['{"person":{"name":"John Doe","age":30,"address":{"street":"123 Main St","city":"Anytown","country":"USA"}}}'],
    },
    {
      rule: 'Begins with',
      pattern: '{"value":{"Region":[{"prefix":"us-"}]}}',
      passes: ['{"Region":"us-east-1"}', '{"Region":"us-"}'],
      drops: ['{"Region":"us"}', '{"Region":"eu-us-"}', '{"Region":"US-east-1"}', '{"Region":7}'],
    },
    {
      rule: 'Ends with',
      pattern: '{"value":{"FileName":[{"suffix":".png"}]}}',
      passes: ['{"FileName":"a.png"}', '{"FileName":".png"}'],
      drops: ['{"FileName":"a.png "}', '{"FileName":"a.PNG"}', '{"FileName":"png"}', '{"FileName":null}'],
    },
    {
      rule: 'numbers by their text: 300, 300.0, and 3.0e2 are not considered equal',
      pattern: '{"value":{"Count":[300]}}',
      passes: ['{"Count":300}'],
      drops: ['{"Count":300.0}', '{"Count":3.0e2}', '{"Count":"300"}', '{"Count":3e2}'],
    },
    {
      rule: 'numbers by their text, the other way round',
      pattern: '{"value":{"Count":[3.0e2]}}',
      passes: ['{"Count":3.0e2}'],
      drops: ['{"Count":300}', '{"Count":300.0}', '{"Count":3.0E2}'],
    },
    {
      rule: 'keywords',
      pattern: '{"value":{"flag":[true]}}',
      passes: ['{"flag":true}'],
      drops: ['{"flag":"true"}', '{"flag":false}', '{"flag":1}', '{"flag":null}'],
    },
    {
      rule: 'multi-level JSON: the page’s DynamoDB fragment',
      pattern: '{"value":{"Keys":{"Number":{"N":["4567"]}}}}',
      passes: ['{"Keys":{"ID":{"S":"ABCD"},"Number":{"N":"4567"}}}'],
      drops: ['{"Keys":{"ID":{"S":"ABCD"},"Number":{"N":"1234"}}}', '{"Keys":{"Number":"4567"}}', '{"Number":{"N":"4567"}}'],
    },
  ],
  [EVENTBRIDGE]: [
    {
      rule: 'anything-but one string',
      pattern: '{"value":{"state":[{"anything-but":"initializing"}]}}',
      passes: ['{"state":"running"}', '{"state":1}'],
      drops: ['{"state":"initializing"}', '{"other":"x"}'],
    },
    {
      rule: 'anything-but numbers',
      pattern: '{"value":{"limit":[{"anything-but":[100,200]}]}}',
      passes: ['{"limit":300}', '{"limit":"100"}', '{"limit":null}'],
      drops: ['{"limit":100}', '{"limit":200}', '{}'],
    },
    {
      rule: 'anything-but one number',
      pattern: '{"value":{"limit":[{"anything-but":123}]}}',
      passes: ['{"limit":124}', '{"limit":"123"}'],
      drops: ['{"limit":123}'],
    },
    {
      rule: 'anything-but (begins with)',
      pattern: '{"value":{"Region":[{"anything-but":{"prefix":"us-"}}]}}',
      passes: ['{"Region":"eu-west-1"}', '{"Region":"us"}', '{"Region":""}'],
      drops: ['{"Region":"us-east-1"}', '{}'],
    },
    {
      rule: 'anything-but (ends with)',
      pattern: '{"value":{"FileName":[{"anything-but":{"suffix":".png"}}]}}',
      passes: ['{"FileName":"a.jpg"}', '{"FileName":".png.gz"}'],
      drops: ['{"FileName":"a.png"}', '{}'],
    },
    {
      rule: 'anything-but (ignore case)',
      pattern: '{"value":{"state":[{"anything-but":{"equals-ignore-case":"initializing"}}]}}',
      passes: ['{"state":"running"}'],
      drops: ['{"state":"INITIALIZING"}', '{"state":"Initializing"}', '{}'],
    },
    {
      rule: 'anything-but (ignore case), a list',
      pattern: '{"value":{"state":[{"anything-but":{"equals-ignore-case":["initializing","stopped"]}}]}}',
      passes: ['{"state":"running"}'],
      drops: ['{"state":"STOPPED"}', '{"state":"initializing"}'],
    },
    {
      rule: 'begins with (ignore case)',
      pattern: '{"value":{"service":[{"prefix":{"equals-ignore-case":"eventb"}}]}}',
      passes: ['{"service":"EventBridge"}', '{"service":"EVENTB"}', '{"service":"eventbus"}'],
      drops: ['{"service":"event"}', '{"service":"my-eventb"}'],
    },
    {
      rule: 'ends with (ignore case)',
      pattern: '{"value":{"service":[{"suffix":{"equals-ignore-case":"tbridge"}}]}}',
      passes: ['{"service":"EventBridge"}', '{"service":"TBRIDGE"}'],
      drops: ['{"service":"tbridges"}', '{"service":"bridge"}'],
    },
    {
      rule: 'numeric comparisons, each alone',
      pattern:
        '{"value":{"a":[{"numeric":["<",0]}],"b":[{"numeric":["<=",0]}],"c":[{"numeric":[">",0]}],"d":[{"numeric":[">=",0]}]}}',
      passes: ['{"a":-1,"b":0,"c":1,"d":0}', '{"a":-0.5,"b":-7,"c":0.000001,"d":9}'],
      drops: [
        '{"a":0,"b":0,"c":1,"d":0}',
        '{"a":-1,"b":1,"c":1,"d":0}',
        '{"a":-1,"b":0,"c":0,"d":0}',
        '{"a":-1,"b":0,"c":1,"d":-1}',
      ],
    },
    {
      rule: 'numeric works with values between -5.0e9 and +5.0e9 inclusive',
      pattern: '{"value":{"n":[{"numeric":[">=",-5000000000,"<=",5000000000]}]}}',
      passes: ['{"n":5000000000}', '{"n":-5.0e9}', '{"n":0}'],
      drops: ['{"n":5000000001}', '{"n":-5000000000.5}', '{"n":1e400}'],
    },
    {
      rule: 'numeric knows no number outside of that range, whatever is asked',
      pattern: '{"value":{"n":[{"numeric":[">",0]}]}}',
      passes: ['{"n":5000000000}'],
      drops: ['{"n":5000000001}', '{"n":6e9}'],
    },
    {
      rule: 'complex example: several operators at once',
      pattern:
        '{"value":{"time":[{"prefix":"2017-10-02"}],"detail":{"state":[{"anything-but":"initializing"}],"c-count":[{"numeric":[">",0,"<=",5]}],"d-count":[{"numeric":["<",10]}],"x-limit":[{"anything-but":[100,200,300]}]}}}',
      passes: ['{"time":"2017-10-02T16:24:49Z","detail":{"c-count":5,"d-count":3,"x-limit":301.8,"state":"running"}}'],
      drops: [
        '{"time":"2017-10-03T16:24:49Z","detail":{"c-count":5,"d-count":3,"x-limit":301.8,"state":"running"}}',
        '{"time":"2017-10-02","detail":{"c-count":6,"d-count":3,"x-limit":301.8,"state":"running"}}',
        '{"time":"2017-10-02","detail":{"c-count":5,"d-count":3,"x-limit":200,"state":"running"}}',
        '{"time":"2017-10-02","detail":{"c-count":5,"d-count":3,"x-limit":301.8,"state":"initializing"}}',
      ],
    },
    {
      rule: 'alternatives of different kinds in one list',
      pattern: '{"value":{"a":["x",{"prefix":"y"},{"numeric":[">",5]},{"exists":false},null]}}',
      passes: ['{"a":"x"}', '{"a":"yes"}', '{"a":6}', '{}', '{"a":null}'],
      drops: ['{"a":"z"}', '{"a":5}', '{"a":false}'],
    },
    {
      rule: '$or of fields, and operators in it',
      pattern:
        '{"value":{"$or":[{"c":[{"numeric":[">",0,"<=",5]}]},{"d":[{"numeric":["<",10]}]},{"x":[{"numeric":["=",3.018e2]}]}]}}',
      passes: ['{"c":5,"d":10}', '{"c":0,"d":9}', '{"x":301.8}'],
      drops: ['{"c":6,"d":10,"x":301}', '{}'],
    },
  ],
  [ARRAYS]: [
    {
      rule: 'matches if any element of the list matches',
      pattern: '{"value":{"resources":["b","z"]}}',
      passes: ['{"resources":["a","b"]}', '{"resources":"b"}', '{"resources":[["x"],["z"]]}'],
      drops: ['{"resources":["a"]}', '{"resources":[]}', '{"resources":[{"b":"b"}]}'],
    },
    {
      rule: 'an operator on any element',
      pattern: '{"value":{"tags":[{"prefix":"us-"}]}}',
      passes: ['{"tags":["eu-1","us-1"]}'],
      drops: ['{"tags":["eu-1"]}', '{"tags":[["x"],[]]}'],
    },
    {
      rule: 'anything-but needs one element that is something else',
      pattern: '{"value":{"tags":[{"anything-but":["a"]}]}}',
      passes: ['{"tags":["a","b"]}', '{"tags":["b"]}'],
      drops: ['{"tags":["a","a"]}', '{"tags":[]}'],
    },
    {
      rule: 'numeric on any element',
      pattern: '{"value":{"n":[{"numeric":[">",5]}]}}',
      passes: ['{"n":[1,9]}'],
      drops: ['{"n":[1,2]}', '{"n":["9"]}'],
    },
  ],
  [RULER]: [
    {
      rule: 'objects in a list count as the value of the field',
      pattern: '{"value":{"employees":{"firstName":["Anna"]}}}',
      passes: [
        '{"employees":[{"firstName":"John"},{"firstName":"Anna"}]}',
        '{"employees":[[{"firstName":"Anna"}],[{"firstName":"Peter"}]]}',
        '{"employees":{"firstName":"Anna"}}',
      ],
      drops: ['{"employees":[{"lastName":"Anna"}]}', '{"employees":["Anna"]}', '{"employees":[]}'],
    },
    {
      rule: 'two fields never match in different elements of a list',
      pattern: '{"value":{"employees":{"firstName":["Anna"],"lastName":["Jones"]}}}',
      passes: ['{"employees":[{"firstName":"Peter","lastName":"Smith"},{"firstName":"Anna","lastName":"Jones"}]}'],
      drops: ['{"employees":[{"firstName":"Anna","lastName":"Smith"},{"firstName":"Peter","lastName":"Jones"}]}'],
    },
    {
      rule: '"does not exist" looks at all elements of a list',
      pattern: '{"value":{"a":{"b":[{"exists":false}]}}}',
      passes: ['{"a":[{"c":1},{"d":2}]}', '{"a":1}', '{"a":[]}', '{}'],
      drops: ['{"a":[{"c":1},{"b":2}]}', '{"a":{"b":null}}'],
    },
    {
      rule: '"does not exist" holds for what is no leaf',
      pattern: '{"value":{"c-count":[{"exists":false}]}}',
      passes: ['{"c-count":{"c1":100}}', '{"state":"running"}', '{"c-count":{}}'],
      drops: ['{"c-count":5}', '{"c-count":[5]}'],
    },
    {
      rule: '$or beside a field: source && (metricName || namespace)',
      pattern: '{"value":{"source":["cw"],"$or":[{"metricName":["CPU","Read"]},{"namespace":["EC2","ES"]}]}}',
      passes: ['{"source":"cw","metricName":"Read"}', '{"source":"cw","namespace":"EC2"}'],
      drops: ['{"metricName":"Read"}', '{"source":"cw","metricName":"X"}', '{"source":"cw"}'],
    },
    {
      rule: '$or with an "and" inside',
      pattern: '{"value":{"source":["cw"],"$or":[{"m":["CPU"]},{"t":["T"],"n":["EC2"]},{"scope":["S"]}]}}',
      passes: ['{"source":"cw","t":"T","n":"EC2"}', '{"source":"cw","scope":"S"}'],
      drops: ['{"source":"cw","t":"T"}', '{"source":"cw","n":"EC2"}'],
    },
    {
      rule: '$or inside $or',
      pattern: '{"value":{"source":["cw"],"$or":[{"m":["CPU"]},{"t":["T"],"$or":[{"x":[1234]},{"y":[1000]}]}]}}',
      passes: ['{"source":"cw","t":"T","y":1000}', '{"source":"cw","m":"CPU"}'],
      drops: ['{"source":"cw","t":"T"}', '{"source":"cw","x":1234}'],
    },
    {
      rule: '$or at two levels',
      pattern: '{"value":{"$or":[{"a":[1]},{"b":[2]}],"detail":{"$or":[{"c":[3]},{"d":[4]}]}}}',
      passes: ['{"a":1,"detail":{"d":4}}', '{"b":2,"detail":{"c":3}}'],
      drops: ['{"a":1}', '{"detail":{"c":3}}', '{"a":1,"detail":{"a":1}}'],
    },
    {
      rule: '$or over JSON and plain strings',
      pattern: '{"$or":[{"value":["ping"]},{"value":{"type":["ping"]}}]}',
      passes: ['ping', '{"type":"ping"}'],
      drops: ['pong', '{"type":"pong"}'],
    },
  ],
}
