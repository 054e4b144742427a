//! Rows as Parquet: instants are `TIMESTAMP(MICROS, UTC)`, texts `STRING`, numbers `INT64`; compressed with Snappy, which
//! every reader knows. Groups of rows are written as they fill up, so memory stays bounded.

use super::{
    Sheet,
    table::{Column, Kind, Value},
};
use crate::version::VERSION;
use parquet::{
    basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical},
    data_type::{BoolType, ByteArray, ByteArrayType, DataType, Int64Type},
    errors::ParquetError,
    file::{
        properties::WriterProperties,
        writer::{SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::types::Type,
};
use std::{
    io::{self, Write},
    sync::Arc,
};

/// Rows in a group.
const GROUP: usize = 65_536;

/// Writes Parquet.
pub struct Columns<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: Vec<Collected>,
    rows: usize,
}

/// The values of a column of the present group.
struct Collected {
    column: Column,
    data: Data,
    /// Whether each row has a value, as Parquet counts it: 1 or 0.
    levels: Vec<i16>,
}

enum Data {
    Text(Vec<ByteArray>),
    Int(Vec<i64>),
    Bool(Vec<bool>),
}

impl<W: Write + Send> Columns<W> {
    /// Begins a file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn new(out: W, columns: &[Column]) -> io::Result<Columns<W>> {
        let fields: Result<Vec<_>, ParquetError> = columns.iter().map(|c| field(c).map(Arc::new)).collect();
        let schema =
            fields.and_then(|fields| Type::group_type_builder("sextant").with_fields(fields).build());
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(format!("sextant {VERSION}"))
            .build();
        let file = SerializedFileWriter::new(out, Arc::new(schema.map_err(failed)?), Arc::new(properties));
        let columns = columns.iter().map(|column| Collected::new(*column)).collect();
        Ok(Columns { file: file.map_err(failed)?, columns, rows: 0 })
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        if self.rows == 0 {
            return Ok(());
        }
        let mut group = self.file.next_row_group()?;
        for column in &mut self.columns {
            let levels = column.column.optional.then_some(column.levels.as_slice());
            match &column.data {
                Data::Text(values) => write::<_, ByteArrayType>(&mut group, values, levels)?,
                Data::Int(values) => write::<_, Int64Type>(&mut group, values, levels)?,
                Data::Bool(values) => write::<_, BoolType>(&mut group, values, levels)?,
            }
            *column = Collected::new(column.column);
        }
        group.close()?;
        self.rows = 0;
        Ok(())
    }
}

impl<W: Write + Send> Sheet for Columns<W> {
    fn row(&mut self, values: Vec<Value>) -> io::Result<()> {
        for (column, value) in self.columns.iter_mut().zip(values) {
            column.push(value);
        }
        self.rows += 1;
        if self.rows < GROUP { Ok(()) } else { self.write_group().map_err(failed) }
    }

    fn finish(mut self: Box<Self>) -> io::Result<()> {
        self.write_group().map_err(failed)?;
        self.file.close().map_err(failed)?;
        Ok(())
    }
}

impl Collected {
    fn new(column: Column) -> Collected {
        let data = match column.kind {
            Kind::Text => Data::Text(Vec::new()),
            Kind::Int | Kind::Instant => Data::Int(Vec::new()),
            Kind::Bool => Data::Bool(Vec::new()),
        };
        Collected { column, data, levels: Vec::new() }
    }

    fn push(&mut self, value: Value) {
        self.levels.push(i16::from(value != Value::Absent));
        match (&mut self.data, value) {
            (Data::Text(values), Value::Text(text)) => values.push(text.into_bytes().into()),
            (Data::Int(values), Value::Int(number) | Value::Instant(number)) => values.push(number),
            (Data::Bool(values), Value::Bool(truth)) => values.push(truth),
            // The tables' own tests see to it that only absent values come here.
            _ => {}
        }
    }
}

fn write<W: Write + Send, T: DataType>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[T::T],
    levels: Option<&[i16]>,
) -> Result<(), ParquetError> {
    let missing = || ParquetError::General("the schema has fewer columns than the table".into());
    let mut column = group.next_column()?.ok_or_else(missing)?;
    column.typed::<T>().write_batch(values, levels, None)?;
    column.close()
}

fn field(column: &Column) -> Result<Type, ParquetError> {
    let (physical, logical) = match column.kind {
        Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Int => (Physical::INT64, None),
        Kind::Bool => (Physical::BOOLEAN, None),
        Kind::Instant => (Physical::INT64, Some(LogicalType::timestamp(true, TimeUnit::MICROS))),
    };
    let repetition = if column.optional { Repetition::OPTIONAL } else { Repetition::REQUIRED };
    let builder = Type::primitive_type_builder(column.name, physical);
    builder.with_logical_type(logical).with_repetition(repetition).build()
}

fn failed(error: ParquetError) -> io::Error {
    io::Error::other(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use parquet::{
        file::reader::{FileReader, SerializedFileReader},
        record::RowAccessor,
    };

    #[test]
    fn what_is_written_is_read_back() {
        let columns = [
            Column { name: "at", kind: Kind::Instant, optional: false },
            Column { name: "word", kind: Kind::Text, optional: true },
            Column { name: "count", kind: Kind::Int, optional: true },
            Column { name: "truth", kind: Kind::Bool, optional: false },
        ];
        // More than a group.
        let count = GROUP as i64 + 1_000;
        let values = |n: i64| {
            let absent = n % 3 == 0;
            let word = if absent { Value::Absent } else { Value::Text(format!("“{}”", n % 7)) };
            let number = if absent { Value::Absent } else { Value::Int(-n) };
            vec![Value::Instant(1_795_000_000_000_001 + n), word, number, Value::Bool(n % 2 == 0)]
        };
        let mut file = tempfile::tempfile().expect("a temporary file");
        let copy = file.try_clone().expect("a second handle");
        let mut sheet = Box::new(Columns::new(copy, &columns).expect("written"));
        (0..count).for_each(|n| sheet.row(values(n)).expect("written"));
        sheet.finish().expect("written");
        file.flush().expect("written");

        let reader = SerializedFileReader::new(file).expect("a Parquet file");
        assert_eq!(reader.num_row_groups(), 2);
        let mut read = 0;
        for row in reader.get_row_iter(None).expect("rows") {
            let row = row.expect("a row");
            let expected = values(read);
            assert_eq!(Value::Instant(row.get_timestamp_micros(0).expect("an instant")), expected[0]);
            if read % 3 != 0 {
                assert_eq!(Value::Text(row.get_string(1).expect("a text").clone()), expected[1]);
                assert_eq!(Value::Int(row.get_long(2).expect("a number")), expected[2]);
            } else {
                assert!(row.get_string(1).is_err() && row.get_long(2).is_err(), "absent");
            }
            assert_eq!(Value::Bool(row.get_bool(3).expect("a truth")), expected[3]);
            read += 1;
        }
        assert_eq!(read, count);
    }
}
