/**
 * The one list of diagnostic codes: number, short title and the text that `tilec explain` prints.
 * Codes are stable: never renumber, never reuse; append within the hundred that fits.
 */
export interface Entry {
  readonly title: string
  /** What it means, why it is refused and what to do: a short page in Markdown. */
  readonly explain: string
}

const entries = {
  TILE1001: {
    title: 'model file does not type-check',
    explain:
      'The TypeScript compiler found an error in the model file. tilec reports what it said, at its place; the model was not executed.',
  },
  TILE1002: {
    title: 'file exports no model',
    explain:
      "A model file's default export is what `defineModel(name, ConfigSchema, (m, cfg) => { ... })` returns. The file has another default export, or none. Helpers and schedules are named exports.",
  },
  TILE1003: {
    title: 'model file missing',
    explain:
      'A file that was named on the command line, or that a model file imports by a relative path, does not exist. Relative imports are written with their extension, `./config.ts`, and start from the importing file.',
  },
  TILE1004: {
    title: 'import that a model may not have',
    explain:
      'What a model builds must depend on its config alone, so a model file may import only `tilec`, `zod`, and files of its own by a relative path (`.ts` or `.json`). Names of the DSL come from `tilec`, not from files inside it, so that there is one DSL and its insides can change.',
  },
  TILE1005: {
    title: 'model threw',
    explain:
      'The model file, or the function given to defineModel, threw an error while it ran. The message is its own; the place is the innermost call that it left. A RangeError from `dim` means that a size computed from the config is no positive integer.',
  },
  TILE1006: {
    title: 'malformed export',
    explain:
      'Beside its default export a model file may export `schedules`, an object of schedules by target (`sm_90a`, `host`) or a function of the config that returns one, and `weights`, an object with `bind` and `unread`. The message says which of them is something else.',
  },
  TILE1007: {
    title: 'parameter without a source',
    explain:
      "`weights.bind` is asked for each parameter of the graph and answers with segments of checkpoint tensors. For this one it gave nothing, or segments whose rows do not add up to the parameter's. Add a rule for its name; the parameter's place in the model is shown.",
  },
  TILE1008: {
    title: 'unknown model',
    explain:
      'The name is not one of the models that come with tilec, nor a file. The message lists the names; a file is given by its path.',
  },
  TILE1010: {
    title: 'clock or chance in a model',
    explain:
      'Date, performance, crypto and Math.random give another value each time, so two builds could give two different engines. An engine is named, cached and compared by what it was built from; a model file must be a function of its config.',
  },
  TILE1011: {
    title: 'build is not reproducible',
    explain:
      'tilec runs the function of a model twice with the same config and compares the graphs. They differ; the first differing line of both is shown. The usual reason is state that outlives a build: a counter or a cache in the module, or an iteration over something that the first build changed.',
  },
  TILE1012: {
    title: 'model reaches outside',
    explain:
      'A model file uses something that depends on the machine it runs on: the environment (process), the network, the file system, timers, or code made from text. Put what the model needs into its config, or import a JSON file of its own.',
  },
  TILE1020: {
    title: 'linear: dims do not match',
    explain:
      '`linear(x, w)` sums over all dims of x. A weight is declared [outputs..., inputs...], and its last dims must be those of x, by name and by size, in order. The message names the first pair, from the end, that differs. The editor shows the same sentence, where sizes are literals or names differ.',
  },
  TILE1021: {
    title: 'pointwise op: shapes differ',
    explain:
      'map, add and mul work element by element on tensors of equal dims: same names, same sizes, same order. There is no broadcasting.',
  },
  TILE1022: {
    title: 'norm: weight does not fit',
    explain:
      'A norm averages over the dims of its weight, which must be the last dims of its input. `rmsNorm` of [hidden] has a weight [hidden]; a norm of each head has a weight [qd].',
  },
  TILE1023: {
    title: 'slice outside its dim',
    explain:
      '`slice(x, name, start, into)` takes as many consecutive elements of dim `name` as `into` holds, from `start` on. The input has no such dim, or the range ends behind it.',
  },
  TILE1024: {
    title: 'attention: operands do not fit',
    explain:
      'Attention takes queries [kv, group, qd], keys [kv, qd] and values [kv, vd]: each KV head serves `group` query heads, and a query has as many elements as a key. A sink is [kv, group]. The window counts the keys that a row sees, itself included, and the scale is positive.',
  },
  TILE1025: {
    title: 'route: malformed',
    explain:
      'Routing takes logits of one dim, the experts, chooses between one and all of them, and may rank by `choose(score, bias)` with a bias [expert]. A bias without `choose` would have no effect.',
  },
  TILE1026: {
    title: 'expertLinear: dims do not match',
    explain:
      'The weight of an expert product is [expert, outputs..., inputs...], where `expert` is the dim of the logits that were routed. Its input is [inputs...], the same for all chosen experts, or [slot, inputs...].',
  },
  TILE1027: {
    title: 'combine: not routed',
    explain:
      '`combine` sums over the slots of a routing decision, so its input must be [slot, ...] with the slots of that decision, as expertLinear returns it.',
  },
  TILE1028: {
    title: 'rope: rotary out of range',
    explain:
      'Rotary embedding turns pairs of elements within the first `rotary` of the last dim: an even number, at least 2 and at most the size of that dim. Theta is positive.',
  },
  TILE1029: {
    title: 'parameter declared twice, differently',
    explain:
      'Two uses of one parameter, by full name, declare different dims or formats. Using a weight twice is fine (tied embeddings); it is one tensor of the checkpoint and has one shape. Check the scope in which the second one is used.',
  },
  TILE1030: {
    title: 'config value illegal',
    explain:
      "A field of config.json has a value that is of the wrong type or out of range. The message says what the model's schema expects.",
  },
  TILE1031: {
    title: 'config field unknown',
    explain:
      'config.json has a field that the model neither uses nor lists as bookkeeping. A field that is ignored by mistake usually means results that are subtly wrong, so it is refused. If it changes no result, list it in the schema of the model.',
  },
  TILE1032: {
    title: 'config fields contradict',
    explain:
      'Each field is legal by itself, but not together with another one: a layer list of the wrong length, heads that cannot be shared out, a window that two fields give differently. The message names both sides.',
  },
  TILE1033: {
    title: 'config value unsupported',
    explain:
      'The value is one that such models may have in general but that this model does not implement. It is refused rather than approximated. The help lists what is implemented.',
  },
  TILE1034: {
    title: 'config field missing',
    explain: 'The model needs a field that config.json does not have, and there is no default that would be safe.',
  },
  TILE1042: {
    title: 'malformed model',
    explain:
      'A model has one result, given to `m.logits` exactly once, whose single dim is the vocabulary; each layer is tapped at most once; and values of one model are not used in another.',
  },
  TILE1043: {
    title: 'programs of a drafter disagree',
    explain:
      "A drafter's `commit` remembers keys and values in named caches and its `draft` attends to them. Each cache is remembered once, attended to, given the dims that the attention expects, and keeps as many keys as the attention's window sees. The message says which cache breaks this and how.",
  },
  TILE1050: {
    title: 'tile op misuse',
    explain:
      'The program that was traced from a tile op breaks a rule that types cannot express: a value used outside the loop that made it, a place indexed by the wrong axes, a sum joined over something it was not spread over, halves of a weight that is not paired, a result stored never, twice or at the same place by several tiles. The message says which.',
  },
  TILE1051: {
    title: 'tile op does not fit its operands',
    explain:
      'A tile op is applied to what its declaration names: a tensor for an activation, a weight (or a pair of weights, where the declaration says so) for a matrix, a route for routing. What its program computes over all tiles must be a product of a weight with the rows of a block, joined and then mapped element by element, with the dims that `out` says.',
  },
  TILE1100: {
    title: 'drafter and target differ in width',
    explain:
      'A drafter reads the residual stream of its target and uses its embedding and head, so both have the same hidden_size. This drafter was made for another target; a drafter that does not fit would run and propose nonsense, which shows only as slowness.',
  },
  TILE1101: {
    title: 'taps do not fit the target',
    explain:
      'The drafter reads the residual stream after certain layers of its target (dflash_config.target_layer_ids, counted from 0). The target does not have these layers, has another number of layers than the drafter was made for (num_target_layers), or `tilec.last_tap` asks for the final norm although the last layer is not tapped.',
  },
  TILE1102: {
    title: 'vocabulary of the drafter does not fit',
    explain:
      "The drafter's logits come from the target's head. Its vocab_size says below which id it proposes; it may be smaller than the target's vocab_size, which is padded (MiMo: 152064 of 152576), but not larger.",
  },
  TILE1103: {
    title: 'mask token does not fit',
    explain:
      "The rows of a block that are to be filled in carry the drafter's mask token, whose id must be one of the target's vocabulary.",
  },
  TILE1104: {
    title: 'block size does not fit the engine',
    explain:
      'A block is the newest token and the rows after it that the drafter fills in; the engine verifies a whole block in one pass, which has at most 8 rows.',
  },
  TILE1105: {
    title: 'drafter that the model file cannot use',
    explain:
      'The checkpoint has a drafter in dflash/, but the model file exports none, so the model runs without. Export `drafter` (defineDrafter) and `drafterWeights` to draft with it. A drafter that is asked for by --drafter is an error instead (TILE1006).',
  },
  TILE2001: {
    title: 'schedule syntax',
    explain:
      'The text of a schedule does not follow its grammar. The message lists what could stand at this place. Statements are separated by line ends, `|` or `;`:\n\n    role compute 16 warps regs 96\n    ring weights 4 x 52 KiB\n    join depth 4\n    experts 5 eighths first\n    phase expert.up { tile 16 rows, split k 16, balance flat }\n    fuse silu -> expert.up\n    exchange as bf16\n    while router prefetch next.qkv into l2\n    sms 132',
  },
  TILE2002: {
    title: 'unknown role',
    explain:
      'An SM runs four roles: load fetches weight pages into the ring, compute multiplies, epilogue adds up parts and applies pointwise work, communicate relays rounds between GPUs; sums over GPUs are sent by epilogue and received by compute.',
  },
  TILE2003: {
    title: 'given twice',
    explain:
      'A role, a phase, a setting of a phase, the ring, the join depth, what comes first of the experts, the exchange type and the number of SMs may each be given once in a schedule. Both places are shown; remove one.',
  },
  TILE2004: {
    title: 'too many warps',
    explain:
      'A thread block has at most 1024 threads, 32 warps, and an engine runs one block an SM: the warps of all roles together must fit.',
  },
  TILE2005: {
    title: 'too many registers',
    explain:
      'An SM has 65,536 registers. Each role takes warps x 32 threads x its `regs`; a role without a budget counts with 24, the least there is. Lower a budget or use fewer warps; the sum of each role is shown.',
  },
  TILE2006: {
    title: 'ring too large',
    explain:
      'The ring lives in shared memory, of which a block has at most 227 KiB; tables and partial sums need some of it too. Fewer or smaller pages: a page must hold at least one weight tile of the widest phase.',
  },
  TILE2007: {
    title: 'illegal number in a schedule',
    explain:
      'A number is outside what the hardware or the engine has: register budgets are multiples of 8 from 24 to 256, a tile is 16 rows (the multiplier has no other), a span is 64 keys (the unit of the cache), a ring has at least two pages of a multiple of 16 bytes, and counts are at least 1.',
  },
  TILE2008: {
    title: 'incomplete schedule',
    explain:
      'A schedule gives warps to all four roles (load, compute, epilogue, communicate) and describes the ring between load and compute. Everything else has a default.',
  },
  TILE2009: {
    title: 'interpolation is no count',
    explain:
      'What is interpolated into schedule text stands for a count: a non-negative integer. Anything else would be pasted in as text and parsed as something that nobody wrote.',
  },
  TILE2050: {
    title: 'schedule of an unknown phase',
    explain:
      'A schedule names phases as the model does: `phase` options of its ops, or the parameter that a product reads. The message lists the phases there are. Twins within a layer are numbered (`dense.up2`).',
  },
  TILE2051: {
    title: 'fusion of what is not there',
    explain:
      '`fuse norm, map -> qkv` says what a phase takes along: ops as `tilec inspect --at graph` names them, in front of the arrow; phases of the model behind it. A clause about a phase that takes nothing along, or about an op that does not stand beside the phase, would decide nothing and is refused.',
  },
  TILE2052: {
    title: 'setting that the phase has no use for',
    explain:
      'A setting in braces decides something about the phase, or it is refused. Products are cut by `tile` and `split k`; routed products add `balance` (the first: one range over the tiles of all active experts) or have `split rows` and `group` instead (the down product: every compute warp takes tiles of its own, a page holds tiles of several experts); attention has `span`. A product that decides routing may `stage by chunk`: where k of its tiles is cut over SMs, an SM stages the part that its tile takes before it multiplies, and all of its input, which a later phase must use, behind that. `experts 5 eighths first` decides what of the experts is handed over first where one routed product takes the rows of another.',
  },
  TILE2053: {
    title: 'prefetch of what cannot be fetched ahead',
    explain:
      '`while router prefetch next.qkv into l2` lets the load role ask the L2 cache for the weights of a later product while another phase leaves the memory idle. The product must come later (`next.` means the layer that follows) and must not be routed: which experts will be needed is not known ahead.',
  },
  TILE2054: {
    title: 'op that must be fused',
    explain:
      'A phase that a `fuse` clause names takes along what is listed and nothing else; what is left out becomes a phase of its own. `fuse nothing -> o` lists nothing. Some ops cannot: `rope` turns pairs of elements that only the product before it has at hand, caches and queries are written by products, rows of chosen experts pass between products alone. List them, or name the phase in no clause.',
  },
  TILE2101: {
    title: 'deadlock',
    explain:
      'Executing the roles of every SM and rank, the prover came to a point where nobody can go on. The notes list every step that waits, for what, and which step of which role should have let it go on. Channels are bounded and steps of a role run in order, so this means a wait whose signal comes later in the same order, or comes not at all. What can be executed can be executed in any order with the same end, so no timing avoids this.',
  },
  TILE2102: {
    title: 'race',
    explain:
      'Two steps touch the same region, one of them writes it, and nothing orders the two: no chain of signals, hand-overs, barriers or packets leads from one to the other. Regions are buffers between phases, K and V caches, the route table, pages of the ring, slots of the join, and the inboxes of packets. The parts that SMs write in one execution of a step are disjoint; everything else counts as the same place. A write must also have become visible to who reads it; packets do not see to that (they travel without fences), counters and hand-overs do.',
  },
  TILE2103: {
    title: 'signals that do not add up',
    explain:
      "A counter is complete when every SM of the rank has added one for each execution of a phase, so each SM must signal exactly once in each; or, where tiles are announced one by one by the warp that has made them, when it has grown by all of them. The message says by how much it grows, and what the waiters count on. The same goes for the route table's signal within an SM, and for the runs that rounds and entries start to count from.",
  },
  TILE2104: {
    title: 'wait for what comes later',
    explain:
      'Phases run in one common order on every SM, and each program counts the rounds that it runs in. A wait for an execution that this order has not reached yet, or for one of a program that does not run before in the same rounds, can never be told from an earlier one, or never ends.',
  },
  TILE2105: {
    title: 'hand-over used differently by its two sides',
    explain:
      'A channel inside an SM hands over by position: the n-th page that one role commits is the n-th that the other awaits. Both must therefore take the same turns of the same loops, and use it in turn: acquire, fill, commit on one side; await, read, release on the other. The message shows the loops of both.',
  },
  TILE2106: {
    title: 'hand-over of something else',
    explain:
      'A role gets a page, a sum or a packet that was meant for another phase or another execution: producer and consumer count differently, or a step reads what is not filled yet. Packets carry the epoch of their exchange; both sides must count the same executions.',
  },
  TILE2107: {
    title: 'signal that may overtake',
    explain:
      'A counter only has one number for all SMs. If a fast SM can signal the next execution while a slow one has not signalled this one, the sum is reached too early and stands for work that is not done. So whatever signals must be ordered after the last execution on every SM.',
  },
  TILE2108: {
    title: 'wait that an older use would satisfy',
    explain:
      'What warps of an SM wait for has a parity and no number: a use of it is told from the one before, and from no other. Whoever waits for a use must therefore have heard that the one before is over, by its own wait or through a barrier of its role. A warp that skips hand-overs of others and runs ahead takes one of long ago for its own: it reads what is being written and releases what it does not own.',
  },
  TILE3001: {
    title: 'ranks do not divide a dim',
    explain:
      'A parallel dim (KV heads, inner channels, the vocabulary) is dealt out evenly over the ranks. Take a number of ranks that divides it; of KV heads there may be fewer than ranks, if the queries of a head can be dealt out to those that share it; the message lists them.',
  },
  TILE3010: {
    title: 'value in a form that its reader cannot take',
    explain:
      "A product reads staged columns, attention its queries and cache, a router plain numbers. Between two phases a value has the forms that its readers ask for, and some pairs of ops have none: a norm's result, for one, is made where it is multiplied and nowhere else. Let the op follow its producer directly.",
  },
  TILE3011: {
    title: 'slices or heads that tiles cannot tell apart',
    explain:
      "A tile is 16 rows of the result. A fused projection is cut at multiples of 16 rows of its last dim, its slices leave nothing out and do not overlap, and a KV head's queries, key and value are multiples of 16 rows. Pad the projection, or use one product for each part.",
  },
  TILE3012: {
    title: 'attention read by something else than a product',
    explain:
      "The merge of attention's spans writes the form that products read. Put a linear op behind attention; pointwise work can follow that.",
  },
  TILE3013: {
    title: 'rotary width that a product cannot take along',
    explain:
      'Rotary partners lie in the same pair of rows of a tile, 8 pairs to a tile, so both the rotated width and the head must be multiples of 16. Take another width, or rotate a slice of that width.',
  },
  TILE3020: {
    title: 'contraction of no multiple of 32',
    explain:
      'Weights are multiplied in units of 32 columns, on every rank for itself: inner dims divided by the ranks must be multiples of 32. Use fewer ranks, or pad the dim.',
  },
  TILE3021: {
    title: 'weight format without a primitive',
    explain:
      'The device multiplies f32, bf16, e4m3 with a scale for 128 columns, and e2m1 with an e8m0 scale for 32 columns. A format of another table or block can be described and evaluated by the reference, but not run.',
  },
  TILE3022: {
    title: "an expert's tiles do not fit a ring page",
    explain:
      'The down product of routed experts fetches the tiles that an SM owns of several experts with one page, or those of one expert with several. A page holds at least one tile with all of its contraction, and as many experts as `group` says. Let the phase take fewer experts at once, or give the ring larger pages.',
  },
  TILE3023: {
    title: 'a unit of each part does not fit a ring page',
    explain:
      'A page holds at least one unit (16 rows by 32 columns) for each warp that shares the contraction. Give the ring larger pages, or split k over fewer warps.',
  },
  TILE3024: {
    title: 'contraction too large for exact sums',
    explain:
      '`exchange as exact` makes what an engine computes independent of the number of ranks: a contraction that is cut over ranks is summed in leaves of an eighth of its length, each by one warp in one order, and leaves are added in fixed point. A leaf must be whole units of 32 values, and a warp must be able to keep its input in registers. That is for small models, whose tests compare ranks to the bit; real sizes exchange bf16 or f32, and ranks differ by their rounding.',
  },
  TILE3030: {
    title: 'shared memory exhausted',
    explain:
      'What an SM holds at once (the ring, the join, routed sums, the route table, barriers) exceeds the 227 KiB that a block may have on sm_90a. The notes list the areas, the largest first; help names what makes the largest smaller.',
  },
  TILE3031: {
    title: 'registers exhausted',
    explain:
      'Warps x 32 lanes x registers, summed over the roles, exceed the 65,536 registers of an SM. Give a role fewer warps or a smaller budget.',
  },
  TILE3032: {
    title: 'staged input does not fit the registers',
    explain:
      "A compute warp keeps its part of the input staged in registers while weights stream past: 4 registers a lane for each 32 values of k. With sums and addressing it needs more than the role's budget, and the compiler of the target would spill to memory. Split k over more warps, or give the role more registers.",
  },
  TILE3033: {
    title: 'ring page too small',
    explain:
      'Something that is fetched with one page of the ring does not fit it: a page of weights, the tiles of a group of experts, or the keys and values of one span of attention.',
  },
  TILE3034: {
    title: 'too many parts of a sum',
    explain:
      'Each compute warp hands over one part of a sum, and a slot of the join has a place for each. A phase that is cut into more parts than there are warps, or places, cannot hand them over.',
  },
  TILE3035: {
    title: 'sums do not fit',
    explain:
      'An SM keeps the sums of its own tiles for every (row, expert slot) until they are added in slot order, and where it attends to all keys of a short window, those of all blocks of keys until they are merged. Both areas are sized by the plan; finding one too small is a bug of tilec.',
  },
  TILE3036: {
    title: 'several load warps',
    explain:
      'The load role walks one list of pages in order, which cannot be dealt out over several warps. It takes little time: one warp keeps the copy engine busy, and more would not make an engine faster.',
  },
  TILE3037: {
    title: 'routing too wide',
    explain:
      'Every SM keeps for itself which experts the rows of a round go to, in tables that hold at most 16 experts for a row and 1024 experts in all: each of up to 128 results (8 rows x 16) has a number of one byte, and a lane chooses by a word of 32 experts. A model that is wider cannot be compiled.',
  },
  TILE5001: {
    title: 'no compiler for the target',
    explain:
      'An engine is C++ that is compiled on this machine: by g++ (or clang++) for the host back end, by nvcc for a GPU. None of the programs that were tried can be run. CXX, NVCC and CUDA_HOME name others.',
  },
  TILE5002: {
    title: 'engine source does not compile',
    explain:
      'The C++ or CUDA compiler refused the generated engine. The generated source carries #line directives, so the place is a line of the file that the code came from. If that is a tile op of yours, its expression is at fault; if it is engine.cu, this is a bug of tilec.',
  },
  TILE5003: {
    title: 'kernel exceeds its register budget',
    explain:
      'ptxas gave the engine kernel more registers than the schedule allows, or had to spill some to local memory, which costs far more than it seems. Give the role fewer warps, or a shorter split of k for each warp.',
  },
  TILE5004: {
    title: 'build cache not writable',
    explain:
      'Executables are kept in TILEC_CACHE, else XDG_CACHE_HOME/tilec, else ~/.cache/tilec. A folder there could not be made or renamed; the message of the system follows.',
  },
  TILE5005: {
    title: 'device headers missing',
    explain: 'codegen/device holds the headers that every engine includes; it belongs to the installed package.',
  },
  TILE5100: {
    title: 'unknown diagnostic code',
    explain: '`tilec explain` was asked for a code that tilec does not have. Without a code it lists all of them.',
  },
  TILE5101: {
    title: 'unknown model',
    explain:
      'A model is named by a preset (nano, mimo-v2.5-pro, mimo-v2-flash), by the folder of a checkpoint as Hugging Face publishes it, or by a model file that ends in .ts. The name given is none of them; perhaps the path is wrong.',
  },
  TILE5102: {
    title: 'unknown target',
    explain:
      'Engines are built for `host` (C++ on this machine, no GPU needed) or `sm_90a` (a Hopper GPU: H100, H200). `auto` chooses sm_90a where nvcc and enough such GPUs are there, else host.',
  },
  TILE5103: {
    title: 'model file without a config',
    explain:
      'A model file says how a graph is built from a config, not which config. Give one with --config, or give a checkpoint folder, whose config.json is taken, with --checkpoint.',
  },
  TILE5104: {
    title: 'checkpoint of an unknown family',
    explain:
      'The `model_type` of the config.json names a family of models that no model file of tilec reads. Write one (docs/first-model.md) and name it as the model, with this folder as --checkpoint.',
  },
  TILE5105: {
    title: 'config file cannot be read',
    explain: 'The file given with --config does not exist or is not JSON.',
  },
  TILE5106: {
    title: 'model does not say where its weights lie',
    explain:
      'A checkpoint was given, but the model file exports no `weights`, so no parameter can be read from it. `weights.bind` gives, for each parameter of the graph, the tensors and rows that it is made of; models/mimo/weights.ts is an example.',
  },
  TILE5107: {
    title: 'no schedule for the target',
    explain:
      'How work is laid out over the warps of an SM is part of a model: its file exports `schedules`, an object (or a function of the config) with one schedule a target. The target asked for has none. tilec invents no schedule, because a bad one is worse than none.',
  },
  TILE5108: {
    title: 'impossible engine',
    explain:
      'The number of ranks is 1, 2, 4 or 8; the context is a whole number of positions up to 1048576; the number of SMs is a whole number from 1. A depth to cut to is 1 to the number of layers, and all layers must hand on the same number of values. The control whose sums over ranks NCCL makes (--engine nccl) needs several ranks, and a schedule that exchanges f32 or bf16.',
  },
  TILE5109: {
    title: 'no weights to run',
    explain:
      'A model without a checkpoint can be checked, compiled and inspected, but not run. Presets of published models come with their config alone: download the checkpoint and give its folder as the model, or with --checkpoint.',
  },
  TILE5110: {
    title: 'result cannot be written',
    explain: "A file that was asked for with -o or --html could not be written; the system's own words follow.",
  },
  TILE5111: {
    title: 'engine and reference disagree',
    explain:
      'The engine on the host and the float64 reference, which evaluates the graph without tiles or schedule, chose different tokens although their logits are further apart than rounding explains (twice of what rounding to BF16 moves any logit by). If a tile op of yours is in the model, its expression may lose more precision than BF16 allows (a difference of large numbers, for one); otherwise this is a bug of tilec.',
  },
  TILE5112: {
    title: 'nothing that can be measured',
    explain:
      'What a measurement asks for contradicts itself or the model. Ranks can run without their peers with made up weights only, and only the first 1, 2, 4 or 8 can: rank 0 decides the rounds, and each of them stands in for as many of the others as the next; rows are 1 to 8; a context must leave room for the rounds; a mean of active experts lies between the slots of one row and what routing at random gives, and needs a router with a bias.',
  },
  TILE5113: {
    title: 'engine folder does not fit',
    explain:
      'The folder given as --engine-folder was not written by tilec compile -o, or what lies in it was built from another source or with other device headers than the engine that is asked for. Compile it again with the same model, config, ranks, context, layers, drafter and version of tilec.',
  },
  TILE6001: {
    title: 'weights do not fit the engine',
    explain:
      'The engine was compiled for parameters of certain rows, columns and formats, and the source named in the message has others. Compile the model again with the config.json of this checkpoint.',
  },
  TILE6002: {
    title: 'tile rows straddle scale blocks',
    explain:
      'A weight with one scale for a block of rows is packed in halves of eight tile rows that share one scale. The row map of the compiled engine pairs rows of different blocks. This is a bug of the compiler or of a tile op that chooses rows.',
  },
  TILE6003: {
    title: 'engine cannot read a file',
    explain:
      'A file of the checkpoint could not be opened, is shorter than its header promises, or could not be mapped.',
  },
  TILE6004: {
    title: 'not enough memory for the engine',
    explain:
      'Image, KV cache and workspace of a rank must fit its device (its share of main memory, on the host). Use more ranks or a shorter context; nothing was left half-loaded.',
  },
  TILE6005: {
    title: 'GPUs unsuitable',
    explain:
      'The engine was built for GPUs of one architecture and for a number of ranks that reach each other: there are too few, one is too old, is in use exclusively, is not like the others, was given to two ranks, or cannot access a peer. The message names the GPU.',
  },
  TILE6006: {
    title: 'load plan refused',
    explain:
      'The engine checks the load plan before it reads a byte and found it inconsistent with itself or with the engine. The plan and the engine come from different builds, or this is a bug of tilec.',
  },
  TILE6007: {
    title: 'illegal number in a weight',
    explain:
      'While packing, the engine met a code or scale that a checkpoint must not contain: a NaN, an infinity, or an e8m0 scale byte 255. The message names the parameter. The file is damaged or stored in another format than it says.',
  },
  TILE6010: {
    title: 'engine process died',
    explain:
      'The process that owns the GPUs ended by itself or by a signal. The request in hand is lost; the next one starts a new process, which loads the weights again.',
  },
  TILE6011: {
    title: 'engine gave up waiting',
    explain:
      'A warp waited longer than its deadline for something that did not come (on the host: nothing at all could move). The message names the place in the plan, what was waited for, and who waited; on the host the notes list every warp that was stuck. The next request starts a new process.',
  },
  TILE6012: {
    title: 'engine hangs',
    explain:
      'The engine process or one of its ranks gave no sign of life for too long and was killed. The next request starts a new process.',
  },
  TILE6013: {
    title: 'request refused',
    explain: 'A request is outside what the engine can do; the message names the value and the legal ones.',
  },
  TILE6014: { title: 'engine closed', explain: 'The engine was closed while, or before, something was asked of it.' },
  TILE6015: {
    title: 'logits are no numbers',
    explain:
      'The model computed a NaN or an infinity where a token was to be chosen. The engine ended at once, because its caches may hold what is no number; the next request starts it anew. The message names the position. The usual causes are a damaged checkpoint, weights of another model, or a schedule that was changed without being proved.',
  },
  TILE6016: {
    title: 'drafter proposes nothing',
    explain:
      "The drafter's logits were NaN or infinite, so its proposals were thrown away. The text is what the model alone writes; only speed is lost. The drafter's weights, or its mask embedding, are damaged or belong to another model.",
  },
  TILE6017: {
    title: 'NCCL cannot be used',
    explain:
      'The control with --engine nccl has its sums over ranks made by NCCL, which it opens when it starts: the file that TILEC_NCCL names, else libnccl.so.2 where the loader finds it (LD_LIBRARY_PATH, ldconfig; the Python package nvidia-nccl-cu12 or -cu13 has one in nvidia/nccl/lib). Either it is not there, or it is no NCCL, or NCCL itself could not connect the GPUs or capture a sum; the message has its words, and NCCL_DEBUG=INFO with NCCL_DEBUG_FILE tells more. No other engine needs it.',
  },
  TILE6101: {
    title: 'generation refused',
    explain:
      'A value of the request is outside of what it can be: temperature from 0, top-k a whole number from 0, top-p above 0 and at most 1, min-p between 0 and 1, at least one token to write, no empty stop string, no token outside of the vocabulary. The message names the value.',
  },
  TILE6102: {
    title: 'empty prompt',
    explain: 'A model continues something: the prompt must have at least one token.',
  },
  TILE6103: {
    title: 'prompt longer than the context',
    explain:
      'An engine is compiled for a number of positions (--ctx): its caches hold as many and no more. The prompt alone has more tokens. Open the model with a larger context, or shorten the prompt; nothing is cut off silently.',
  },
  TILE7001: {
    title: 'checkpoint folder cannot be read',
    explain:
      'The path given as a checkpoint is not a folder, does not exist or is not readable. A checkpoint is a folder as Hugging Face publishes it: config.json, one or more .safetensors files, tokenizer.json.',
  },
  TILE7002: {
    title: 'checkpoint file missing',
    explain:
      'A file that the checkpoint needs or names is not there. When the index (model.safetensors.index.json) names a shard that is absent, the download is incomplete: fetch the missing file. Nothing is loaded from an incomplete checkpoint.',
  },
  TILE7003: {
    title: 'checkpoint file is not valid JSON',
    explain:
      "config.json, generation_config.json or the index could not be parsed, or is not an object. The parser's own words follow. Usually the download was interrupted, or an error page was saved under this name.",
  },
  TILE7004: {
    title: 'malformed index',
    explain:
      'model.safetensors.index.json must have an object `weight_map` that maps each tensor name to the name of the file that holds it.',
  },
  TILE7005: {
    title: 'checkpoint names a file outside its folder',
    explain:
      "A checkpoint comes from somebody else. A file name in it that is absolute, contains `..`, or is a link that leads out of the folder would make tilec read a file that its author chose on your disk; it is refused. Links inside the cache of Hugging Face's hub (snapshots to blobs) are accepted.",
  },
  TILE7006: {
    title: 'safetensors file is cut short',
    explain:
      'A safetensors file starts with the length of its header, 8 bytes, then the header. The file ends before the header does. Compare its size with the published one and download it again.',
  },
  TILE7007: {
    title: 'safetensors header too large',
    explain:
      'The first 8 bytes of the file announce a header of more than 100 MB. No real checkpoint has one (160,000 tensors take about 20 MB over all shards); the file is corrupt or no safetensors file at all.',
  },
  TILE7008: {
    title: 'malformed safetensors header',
    explain:
      'The header must be a JSON object in UTF-8 that gives each tensor a `dtype`, a `shape` of non-negative integers and `data_offsets` [begin, end] with begin <= end.',
  },
  TILE7009: {
    title: 'unknown tensor dtype',
    explain:
      'The header names an element type that tilec does not know, so it cannot know how many bytes the tensor takes. The message lists the known ones.',
  },
  TILE7010: {
    title: 'tensor size contradicts its shape',
    explain:
      "The product of the shape times the size of an element must be the number of bytes between the tensor's two offsets. Shape or offsets are wrong; either way the numbers read would not be the weights.",
  },
  TILE7011: {
    title: 'tensor lies outside its file',
    explain:
      'The offsets of a tensor end behind the end of the file: the file was cut short after its header was written. Download it again.',
  },
  TILE7012: {
    title: 'tensors overlap',
    explain: 'Two tensors of one file claim the same bytes. At least one of them would be read as garbage.',
  },
  TILE7013: {
    title: 'bytes that belong to no tensor',
    explain:
      'The data of a safetensors file is covered by its tensors without holes; this is part of the format. Unclaimed bytes mean that the header was edited, that a tensor was removed from it, or that something else is hidden in the file.',
  },
  TILE7014: {
    title: 'duplicate name in JSON',
    explain:
      'A JSON object of the checkpoint has the same key twice. Readers differ in which of the two they take, so none is taken.',
  },
  TILE7015: {
    title: 'tensor in two shards',
    explain: 'The same tensor is stored in two files of the checkpoint. tilec does not guess which one is meant.',
  },
  TILE7016: {
    title: 'index and shard disagree',
    explain:
      'As an error: the index places a tensor in a file that does not hold it (or holds it with a finding of its own). As a warning: a file holds a tensor that the index does not place there; it is not used.',
  },
  TILE7017: {
    title: 'several candidates for the weights',
    explain:
      'The folder has several safetensors files or indexes and none is named model.safetensors or model.safetensors.index.json, so it is unclear what belongs together.',
  },
  TILE7018: {
    title: 'tensor cannot be read',
    explain:
      'A file was in order when the checkpoint was opened, but its bytes could not be read later: it was truncated, replaced or became unreadable in between.',
  },
  TILE7019: {
    title: 'weight without a rule',
    explain:
      'The graph uses a param that the `weights` of the model file do not bind to tensors of the checkpoint, so there is nothing to read it from. Add a rule for its name to `weights.bind`.',
  },
  TILE7020: {
    title: 'tensor missing',
    explain:
      "The model needs a tensor that the checkpoint does not have. The message names the tensor, the weight that is read from it and the nearest name that is there. Either the checkpoint is of another model or layout, or the model's weights.ts names it wrongly.",
  },
  TILE7021: {
    title: 'tensor that the model does not use',
    explain:
      'The checkpoint has tensors that no weight of the model is read from. A model that ignores part of its checkpoint usually computes something else than was trained, so this is refused, unless weights.ts lists the names as ignored (multi-token-prediction layers, for example).',
  },
  TILE7022: {
    title: 'tensor has the wrong shape',
    explain:
      "The shape in the checkpoint is not the one that config.json and the model's weights.ts lead to. The message gives both. Padded vocabularies, other head counts and repacked projections show up here.",
  },
  TILE7023: {
    title: 'tensor has the wrong dtype',
    explain:
      "The weight's format asks for another element type than the tensor has. tilec converts no dtype silently: say in weights.ts which formats are accepted.",
  },
  TILE7024: {
    title: 'foreign grid of FP8 scales',
    explain:
      'A fused projection is stored as groups, one for each KV head: [Q|K|V] of group 0, [Q|K|V] of group 1, and so on. Its FP8 scales start anew in each group: groups * ceil(rows of a group / 128) scale rows (MiMo-V2.5-Pro: 8 * 27 = 216). This checkpoint has ceil(all rows / 128) scale rows instead (212), the grid of a repack as [all Q|all K|all V]. The row order differs as well, so the weights cannot be used as they are: take the original checkpoint, or repack it group by group, with a grid of its own for each.',
  },
  TILE7025: {
    title: 'illegal scale',
    explain:
      'An e8m0 scale byte of 255 means NaN, and an f32 scale must be finite: a published checkpoint contains neither. The tensor is damaged, or it was converted as numbers where its bits were meant.',
  },
  TILE7026: {
    title: 'illegal weight',
    explain:
      'A weight is NaN or infinite (for e4m3: codes 0x7F and 0xFF). A published checkpoint contains none; the tensor is damaged or stored in another format than its name says.',
  },
  TILE7027: {
    title: 'malformed generation defaults',
    explain:
      'generation_config.json, or the eos_token_id of config.json, is not what it should be: eos_token_id is a token id or a list of them, temperature and top_p are numbers in their usual ranges. Without an end token a model would never stop, so none is assumed.',
  },
  TILE7030: {
    title: 'tokenizer file missing or unreadable',
    explain: 'The checkpoint has no tokenizer.json, or it cannot be parsed as JSON.',
  },
  TILE7031: {
    title: 'unsupported tokenizer',
    explain:
      'tokenizer.json is not one that tilec can run: it must describe a byte-level BPE whose every token is made of bytes, with ids that no two tokens share. The message says which part is different.',
  },
  TILE7032: {
    title: 'no chat template',
    explain:
      'Neither chat_template.jinja nor tokenizer_config.json holds a chat template, so messages cannot be turned into a prompt. Plain text completion still works.',
  },
  TILE7033: {
    title: 'chat template does not parse',
    explain: "The Jinja source of the chat template has a syntax error; the parser's own words follow.",
  },
  TILE7034: {
    title: 'chat template refused the messages',
    explain:
      "The template raised an error for these messages, or used something that is not defined: a role it does not know, an order it forbids, a field that is missing. The template's own words follow.",
  },
  TILE7100: {
    title: 'mask embedding missing',
    explain:
      "The row of the mask token in the target's embedding is about zero; the drafter was trained with a vector of its own, published beside it as mask_embedding.pt (or .safetensors). Without it every proposal is silently worse, so its absence is an error. A folder with both files is ambiguous.",
  },
  TILE7101: {
    title: 'not an archive that torch.save writes',
    explain:
      'A .pt file is a zip archive whose entries are stored uncompressed: `<name>/data.pkl`, `<name>/data/0`, and a few short ones. This file is cut short, compressed, encrypted, or its directory contradicts itself. Nothing of it is used.',
  },
  TILE7102: {
    title: 'foreign pickle',
    explain:
      "A pickle is a program, and running one from a stranger's file can do anything. tilec never runs it: it only compares it with the one shape that torch.save writes for {'mask_token_id': int, 'embedding': BF16 tensor}, and refuses everything else, harmless or not. To convert another file, load it in Python where you trust it and save the tensor `embedding` as mask_embedding.safetensors.",
  },
  TILE7103: {
    title: 'mask embedding does not fit',
    explain:
      'The mask embedding is one BF16 vector, contiguous, with hidden_size elements. The message gives what was found.',
  },
  TILE7104: {
    title: 'mask embedding of another token',
    explain:
      'mask_embedding.pt says which token it stands for, and dflash_config.mask_token_id says another. The file belongs to another drafter.',
  },
} as const satisfies Record<string, Entry>

export type Code = keyof typeof entries | `TILE${number}`
export const catalogue: Readonly<Record<string, Entry>> = entries
