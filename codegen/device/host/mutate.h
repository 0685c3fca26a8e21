// Faults put into a schedule at run time, so that one compiled engine can be run with thousands of wrong schedules. A mutation
// belongs to a sync site and applies to every execution of that site. Only TILE_CHECK builds consult the table.
#pragma once
#include <map>

namespace tile::host {

enum class Mutation {
  none,
  drop,         // the operation does not happen
  twice,        // it happens twice
  late,         // it changes places with the next sync operation of the same warp
  target_up,    // a wait asks for one arrival (or phase) more; a commit announces 16 bytes more
  target_down,  // one fewer; a wait for a free slot then treats its channel as one slot deeper
  shallow       // a wait for a free slot treats its channel as one slot less deep
};

inline std::map<int, Mutation>& mutations() {
  static std::map<int, Mutation> table;
  return table;
}
inline void mutate(int site, Mutation mutation) { mutations()[site] = mutation; }
inline void restore() { mutations().clear(); }

}  // namespace tile::host
