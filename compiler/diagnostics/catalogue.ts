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
      'The engine was built for GPUs of one architecture and for a number of ranks that reach each other: there are too few, one is too old, is in use exclusively, or cannot access a peer. The message names the GPU.',
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
} as const satisfies Record<string, Entry>

export type Code = keyof typeof entries | `TILE${number}`
export const catalogue: Readonly<Record<string, Entry>> = entries
