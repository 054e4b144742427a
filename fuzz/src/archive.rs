//! A backup, as `sextant restore` takes it from whoever hands it over.

use collector::backup::{
    Archive, Corrupt, Item, Key, Table, Value, Writer,
    file::{self, In, Out},
    format::{COLUMNS_MOST, MAGIC, ROWS_MOST, TABLES_MOST, is_name},
};

/// The key of the encrypted seeds.
const KEY: [u8; 32] = [7; 32];

type Tables = Vec<(Table, Vec<Vec<Value>>)>;

/// Reads an archive. What is accepted is written again, and read as the same.
pub fn run(data: &[u8]) {
    let key = Key::parse(&Key::text(KEY)).expect("a key");
    // The byte behind the version says whether it is encrypted.
    let key = (data.get(MAGIC.len() + 1) == Some(&1)).then_some(key);
    let Ok(archive) = file::open(data, key.as_ref()) else { return };
    let header = archive.header().clone();
    let Ok(tables) = read(archive) else { return };

    let mut written = Vec::new();
    let out = Out::begin(&mut written, key.as_ref().map(|key| (key, [9; 32]))).expect("memory takes all");
    let mut writer = Writer::new(out, header.clone()).expect("a header that was read is short enough");
    for (table, rows) in &tables {
        writer.table(table.clone()).expect("a table that was read is sound");
        rows.iter().for_each(|row| writer.row(row).expect("a row that was read fits"));
    }
    let (out, _) = writer.finish().expect("memory takes all");
    out.finish().expect("memory takes all");
    let again = file::open(written.as_slice(), key.as_ref()).expect("what we wrote is ours");
    assert_eq!(*again.header(), header);
    assert_eq!(read(again).expect("what we wrote is whole"), tables);
}

/// Reads to the end, and looks at what a restore relies on.
fn read(mut archive: Archive<In<&[u8]>>) -> Result<Tables, Corrupt> {
    let mut tables = Tables::new();
    while let Some(item) = archive.next_item()? {
        match item {
            Item::Table(table) => {
                let names = table.columns.iter().map(|column| &column.name).chain([&table.name]);
                assert!(names.into_iter().all(|name| is_name(name)), "{table:?}");
                assert!((1..=COLUMNS_MOST).contains(&table.columns.len()));
                assert!(tables.iter().all(|(other, _)| other.name != table.name), "a table came twice");
                tables.push((table, Vec::new()));
                assert!(tables.len() <= TABLES_MOST);
            }
            Item::Rows(rows) => {
                let (table, all) = tables.last_mut().expect("rows belong to a table");
                assert!((1..=ROWS_MOST).contains(&rows.len()));
                for row in &rows {
                    let fits = row.iter().zip(&table.columns).all(|(value, column)| column.kind.holds(value));
                    assert!(fits && row.len() == table.columns.len(), "{row:?}");
                }
                all.extend(rows);
            }
        }
    }
    let summary = archive.verify()?;
    assert_eq!(summary.rows(), tables.iter().map(|(_, rows)| rows.len() as u64).sum::<u64>());
    Ok(tables)
}
